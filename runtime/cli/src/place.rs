//! Which directory a command is about, and who is asking.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use worknode_core::error::{Code, Error};
use worknode_daemon::daemon::{STATE, journal_path, paths};
use worknode_journal::{Journal, Reader};

use crate::client::{Client, Server};

/// The directory that a command is about.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Where `worknode.toml` is, or will be.
    pub(crate) dir: PathBuf,
    /// The daemon that is asked in place of the directory's.
    pub(crate) server: Option<Server>,
}

impl Place {
    /// The directory that was named, or the nearest one above the present that has a team.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, Error> {
        let present = env::current_dir().map_err(|error| {
            Error::new(
                Code::Failed,
                format!("the present directory cannot be told: {error}"),
            )
        })?;
        if named.is_some() {
            return Self::here(named);
        }
        let has_team = |dir: &&Path| dir.join("worknode.toml").is_file() || dir.join(STATE).is_dir();
        let dir = present.ancestors().find(has_team).unwrap_or(&present);
        Ok(Self {
            dir: dir.to_owned(),
            server: None,
        })
    }

    /// The directory that was named, or the present one.
    pub(crate) fn here(named: Option<&Path>) -> Result<Self, Error> {
        let named = named.unwrap_or(Path::new("."));
        let dir = fs::canonicalize(named).map_err(|error| {
            Error::new(
                Code::NotFound,
                format!("cannot use directory `{}`: {error}", named.display()),
            )
        })?;
        Ok(Self { dir, server: None })
    }

    /// The daemon: the one that was named, the one that started this process as an agent, or the
    /// directory's.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        if let Some(server) = &self.server {
            return Ok(Client::of_server(server.clone(), token()?));
        }
        match env::var_os("WORKNODE_SOCKET") {
            Some(socket) => Ok(Client::new(socket.into(), Some(token()?))),
            None => Ok(Client::new(paths(&self.dir).socket, None)),
        }
    }

    /// The store, for reading while no daemon runs.
    pub(crate) fn reader(&self) -> Result<Reader, Error> {
        let path = journal_path(&self.dir);
        if !path.is_file() {
            return Err(Error::new(
                Code::NotFound,
                format!("no team has run in `{}` yet", self.dir.display()),
            )
            .hint("`worknode run` runs it, `worknode init` makes a new one, `worknode demo` shows one"));
        }
        Ok(Journal::open_read_only(&path)?)
    }
}

/// What a run, or whoever asks from elsewhere, was given to prove who it is.
fn token() -> Result<String, Error> {
    let forbidden = |why: String| Error::new(Code::Forbidden, why);
    let file = env::var_os("WORKNODE_TOKEN_FILE").ok_or_else(|| {
        let what = "this daemon takes nobody without a capability, and WORKNODE_TOKEN_FILE names none";
        forbidden(what.to_owned())
    })?;
    let shown = Path::new(&file).display();
    let token = fs::read_to_string(&file)
        .map_err(|error| forbidden(format!("cannot read the capability in `{shown}`: {error}")))?;
    Ok(token.trim().to_owned())
}
