//! `worknode continue`: where somebody stands who comes back to work.

use worknode_core::error::Error;
use worknode_daemon::view::{self, ContinueView};

use super::{ask_or_read, now};
use crate::{
    args::notes::Continue,
    client::escaped,
    output::{self, Form},
    place::Place,
};

pub(crate) async fn continuation(place: &Place, args: &Continue, form: Form) -> Result<(), Error> {
    let agent = args.agent.as_deref();
    let path = agent.map_or_else(
        || "/continue".to_owned(),
        |agent| format!("/agents/{}/continue", escaped(agent)),
    );
    let client = place.client()?;
    let read = |reader: &_| view::continuation(reader, agent, now());
    let stands: ContinueView = ask_or_read(place, client.get(&path), read).await?;
    match form {
        Form::Json => output::json(&stands),
        Form::Text => {
            output::line(stands.markdown().trim_end());
            Ok(())
        }
    }
}
