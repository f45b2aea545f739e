//! `worknode down`: the daemon ends, and every agent with it unless they are to go on.

use std::time::Duration;

use serde_json::{Value, json};
use worknode_core::error::{Code, Error};
use worknode_daemon::{daemon::lock_path, lock::Lock};

use super::dry;
use crate::{
    answers::own,
    args::Down,
    output::{self, Form},
    place::Place,
};

/// How long a daemon may take to stop its agents and itself.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn down(place: &Place, args: &Down, form: Form) -> Result<(), Error> {
    if args.dry_run {
        return would(place, args.keep_agents, form).await;
    }
    let body = json!({ "reason": args.reason, "keep_agents": args.keep_agents });
    match place.client()?.post::<Value>("/shutdown", &body).await {
        Ok(_) => {}
        // Down already: that is what was asked for.
        Err(error) if error.code == Code::Unreachable && Lock::holder(&lock_path(&place.dir)).is_none() => {
            return said(form, "no daemon was running");
        }
        Err(error) => return Err(error),
    }
    let gone = async {
        while Lock::holder(&lock_path(&place.dir)).is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.map_err(|_| {
        Error::new(Code::TimedOut, "the daemon is still stopping its agents")
            .hint("`worknode ps` shows which")
    })?;
    said(
        form,
        if args.keep_agents {
            "the daemon has stopped; its agents go on until the next one takes them over"
        } else {
            "the daemon and its agents have stopped"
        },
    )
}

async fn would(place: &Place, keep_agents: bool, form: Form) -> Result<(), Error> {
    let mut what = match dry::running(place).await {
        Err(error) if error.code == Code::Unreachable => return dry::would("stop", &[], form),
        agents => agents?,
    };
    if keep_agents {
        what.clear();
    }
    what.insert(0, "the daemon".to_owned());
    dry::would("stop", &what, form)
}

fn said(form: Form, text: &str) -> Result<(), Error> {
    match form {
        Form::Json => output::json(&own::Down {
            down: true,
            message: text,
        }),
        Form::Text => {
            output::line(text);
            Ok(())
        }
    }
}
