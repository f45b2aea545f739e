//! Showing the same anew until somebody stops it.

use std::io::{IsTerminal, Write};

use worknode_core::error::{Code, Error};

use crate::{args::look::Again, output};

/// Shows it once; or, when that is wanted, again and again. A daemon that is away for a moment, as
/// in an upgrade, does not end it.
pub(super) async fn again(
    again: &Again,
    mut show: impl AsyncFnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    if !again.watch {
        return show().await;
    }
    let mut left = again.times;
    loop {
        if begin().is_err() {
            // Nobody reads any more.
            return Ok(());
        }
        match show().await {
            Err(error) if error.code == Code::Unreachable => output::line(&error.message),
            other => other?,
        }
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(());
        }
        tokio::time::sleep(again.every.0).await;
    }
}

/// An empty screen; where there is none, an empty line between one and the next.
fn begin() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        // Home, then clear from there: less flicker than the other way round.
        out.write_all(b"\x1b[H\x1b[2J")?;
    } else {
        out.write_all(b"\n")?;
    }
    out.flush()
}
