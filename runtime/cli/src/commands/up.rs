//! `worknode up`: the daemon, in the foreground or in the background.

use std::{convert::Infallible, os::unix::process::CommandExt, process::Stdio, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use worknode_core::error::{Code, Error};
use worknode_daemon::{
    daemon::{Daemon, Departure, STATE, lock_path},
    lock::Lock,
    view::StatusView,
};

use super::run::{interrupted, load};
use crate::{
    args::Up,
    output::{self, Form},
    place::Place,
};

/// How long a daemon may take until it answers.
const START: Duration = Duration::from_secs(60);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) async fn up(place: &Place, args: &Up, form: Form) -> Result<(), Error> {
    // Mistakes are told here, where somebody reads them, also when the daemon goes elsewhere.
    let loaded = load(place, &args.overrides)?;
    if args.detach {
        return detach(place, args, form).await;
    }
    // Heard from the start: by default it ends a process.
    let hangup = signal(SignalKind::hangup());
    let daemon = Daemon::start(&place.dir, loaded).await?;
    let departure = tokio::select! {
        asked = daemon.stopped() => asked,
        () = interrupted() => Ok(Departure::because("interrupted")),
        never = reload_on_hangup(&daemon, hangup) => match never {},
    };
    let how = departure.clone();
    let how = how.unwrap_or_else(|_| Departure::because("the runtime gave up"));
    let stopped = daemon.stop(how).await;
    departure.map(drop).and(stopped)
}

/// Reads the configuration anew whenever SIGHUP says so.
async fn reload_on_hangup(daemon: &Daemon, hangup: std::io::Result<Signal>) -> Infallible {
    let mut hangup = match hangup {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP is not heard; use `worknode reload`");
            return std::future::pending().await;
        }
    };
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: the configuration is read anew");
        if let Err(error) = daemon.reload().await {
            tracing::error!(%error, "the configuration could not be taken up");
        }
    }
    std::future::pending().await
}

/// Starts this program again, apart from the terminal, and waits until it answers.
async fn detach(place: &Place, args: &Up, form: Form) -> Result<(), Error> {
    if let Some(pid) = Lock::holder(&lock_path(&place.dir)) {
        return Err(Error::new(
            Code::Held,
            format!("a daemon is already in charge of this directory (process {pid})"),
        )
        .hint("`worknode status` asks it, `worknode down` stops it"));
    }
    let failed =
        |error: std::io::Error| Error::new(Code::Failed, format!("the daemon cannot be started: {error}"));
    let state = place.dir.join(STATE);
    std::fs::create_dir_all(&state).map_err(failed)?;
    let log = state.join("daemon.log");
    let file = std::fs::File::create(&log).map_err(failed)?;
    let mut command = std::process::Command::new(std::env::current_exe().map_err(failed)?);
    command
        // Its errors as JSON too: they are told again here, with their code.
        .args(["up", "--json", "--log-format", "json", "-C"])
        .arg(&place.dir)
        .args(override_flags(args))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(file)
        // Away from this terminal's signals: Ctrl-C here is not for the daemon.
        .process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let client = place.client()?;
    let answers = async {
        loop {
            if let Ok(status) = client.get::<StatusView>("/status").await {
                return Ok(status);
            }
            if let Ok(Some(_)) = child.try_wait() {
                return Err(told_by(&log));
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let status = tokio::time::timeout(START, answers).await.map_err(|_| {
        Error::new(Code::TimedOut, "the daemon does not answer yet").hint(format!("see {}", log.display()))
    })??;
    match form {
        Form::Json => output::json(&status),
        Form::Text => {
            let pid = status.daemon.map_or(0, |daemon| daemon.pid);
            output::line(format!(
                "the daemon is up (process {pid}); its log is {}",
                log.display()
            ));
            Ok(())
        }
    }
}

fn override_flags(args: &Up) -> Vec<String> {
    let overrides = &args.overrides;
    let flags = [
        ("--base", overrides.base.clone()),
        ("--agents", overrides.agents.map(|n| n.to_string())),
        ("--listen", overrides.listen.clone()),
    ];
    flags
        .into_iter()
        .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
        .flatten()
        .collect()
}

/// The last words of a daemon that did not stay.
fn told_by(log: &std::path::Path) -> Error {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let said = text.lines().rev().find_map(|line| {
        let mut value: serde_json::Value = serde_json::from_str(line).ok()?;
        serde_json::from_value(value.get_mut("error")?.take()).ok()
    });
    said.unwrap_or_else(|| {
        Error::new(Code::Failed, "the daemon ended before it answered")
            .hint(format!("its whole log is {}", log.display()))
    })
}
