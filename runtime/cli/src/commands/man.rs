//! `worknode man`: the manual, one page for each command.

use std::{fs, path::Path};

use clap::Command;
use clap_mangen::Man;
use worknode_core::error::{Code, Error};

use crate::{
    answers::own::Pages,
    help,
    output::{self, Form},
};

pub(crate) fn man(into: &Path, form: Form) -> Result<(), Error> {
    let cannot = |error: std::io::Error| {
        let what = format!("cannot write the manual into `{}`: {error}", into.display());
        Error::new(Code::Failed, what).hint("name a directory that is yours")
    };
    fs::create_dir_all(into).map_err(cannot)?;
    let mut whole = help::command().disable_help_subcommand(true);
    whole.build();
    let pages = write(&whole, into).map_err(cannot)?;
    match form {
        Form::Json => output::json(&Pages { into, pages }),
        Form::Text => {
            output::line(format!("{pages} pages in {}", into.display()));
            output::line(format!("read one: man {}", into.join("worknode.1").display()));
            Ok(())
        }
    }
}

/// Writes the page of a command and those of all below it. Returns how many.
fn write(command: &Command, into: &Path) -> std::io::Result<usize> {
    Man::new(command.clone()).generate_to(into)?;
    let below = command.get_subcommands().map(|sub| write(sub, into));
    below.sum::<std::io::Result<usize>>().map(|below| below + 1)
}
