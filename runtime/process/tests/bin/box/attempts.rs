//! Ways out of a box. Each does the whole deed: it has led out when it returns without an error.

mod calls;
mod files;
mod network;
mod processes;

use std::io;

/// Tries one; `None` when there is none of that name with so many arguments.
pub(crate) fn attempt(name: &str, args: &[&str]) -> Option<io::Result<()>> {
    files::attempt(name, args)
        .or_else(|| processes::attempt(name, args))
        .or_else(|| network::attempt(name, args))
        .or_else(|| calls::attempt(name, args))
}

/// An error of an attempt's own.
fn failed(why: impl ToString) -> io::Error {
    io::Error::other(why.to_string())
}
