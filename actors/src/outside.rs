//! Where the runtime meets what is not ours: git, files, other programs.

use std::{path::Path, time::Duration};

use worknode_core::error::{Code, Error};
use worknode_git::{Authorship, Identity};

use crate::system::System;

/// Something outside did not do what it was asked, and says why itself.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Failed, error.to_string())
}

/// Author and committer of what the runtime commits.
pub(crate) fn authorship(system: &System, author: &str) -> Result<Authorship, Error> {
    Ok(Authorship {
        author: identity(system, author)?,
        committer: Identity::new("Worknode", address(system, "runtime")).map_err(failed)?,
        at: system.now(),
    })
}

/// An agent as git knows it.
pub(crate) fn identity(system: &System, agent: &str) -> Result<Identity, Error> {
    Identity::new(agent, address(system, agent)).map_err(failed)
}

/// No mail reaches these: the domain is the team.
fn address(system: &System, who: &str) -> String {
    format!("{who}@{}.worknode", system.team().name)
}

/// All of a file, when it is one and has at most so many bytes. It is looked at before it is opened:
/// opening a pipe waits for its other end.
///
/// # Errors
/// Why it cannot be used, in words.
pub fn bounded_file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let look = || {
        if !std::fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        // One more than there may be tells that there are more.
        std::fs::File::open(path)?
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(Some(bytes))
    };
    match look() {
        Ok(Some(bytes)) if bytes.len() as u64 > most => Err(format!("it has more than {most} bytes")),
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err("it is no file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// At most so many bytes of the end of a file; what cannot be read has nothing to say.
pub(crate) async fn tail(path: &Path, most: u64) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncSeekExt};
    let read = async {
        let mut file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        file.seek(std::io::SeekFrom::Start(length.saturating_sub(most)))
            .await?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    tokio::time::timeout(Duration::from_secs(5), read)
        .await
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default()
}
