//! The runtime's signing key and the operator's token.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    time::Timestamp,
};
use worknode_policies::{
    capability::{self, Claims, most_of},
    verdict::{PublicKey, SigningKeys},
};

const SEED: &str = "daemon.key";
const TOKEN: &str = "operator.token";

/// Reads the key below `dir`, or makes one there: a directory that only its owner can enter.
///
/// # Errors
/// When the files cannot be read or written, or others could read them.
pub fn load_or_create(dir: &Path) -> Result<SigningKeys, Error> {
    let cannot = |error: io::Error| {
        Error::new(
            Code::Failed,
            format!("cannot keep the keys in `{}`: {error}", dir.display()),
        )
    };
    fs::create_dir_all(dir).map_err(cannot)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(cannot)?;
    let path = dir.join(SEED);
    let seed = match fs::read(&path) {
        Ok(bytes) => private_seed(&path, &bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path).map_err(cannot)?,
        Err(error) => return Err(cannot(error)),
    };
    let keys = SigningKeys::from_seed(seed);
    write_operator_token(dir, &keys)?;
    Ok(keys)
}

/// The half of the key below `dir` that may be shown; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or others could read it.
pub fn public(dir: &Path) -> Result<Option<PublicKey>, Error> {
    let path = dir.join(SEED);
    match fs::read(&path) {
        Ok(bytes) => {
            let seed = private_seed(&path, &bytes)?;
            Ok(Some(SigningKeys::from_seed(seed).public()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(
            Code::Failed,
            format!("cannot read the key in `{}`: {error}", dir.display()),
        )),
    }
}

fn private_seed(path: &Path, bytes: &[u8]) -> Result<[u8; 32], Error> {
    let shown = path.display();
    let mode = fs::metadata(path)
        .map(|meta| meta.permissions().mode())
        .unwrap_or(0o777);
    if mode & 0o077 != 0 {
        return Err(Error::new(
            Code::Failed,
            format!("`{shown}` can be read by others (mode {:o})", mode & 0o777),
        )
        .hint(format!(
            "chmod 600 {shown}, or delete it to get a new key; old verdicts then no longer verify"
        )));
    }
    bytes.try_into().map_err(|_| {
        Error::new(
            Code::Failed,
            format!("`{shown}` is not a key: it has {} bytes, not 32", bytes.len()),
        )
        .hint("restore it from a backup, or delete it to get a new key; old verdicts then no longer verify")
    })
}

fn create(path: &Path) -> io::Result<[u8; 32]> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    write_private(path, &seed)?;
    Ok(seed)
}

/// The operator's capability, for programs that come through TCP.
fn write_operator_token(dir: &Path, keys: &SigningKeys) -> Result<(), Error> {
    let claims = Claims {
        version: capability::VERSION,
        operations: most_of(&Principal::Operator),
        principal: Principal::Operator,
        subtree: NodeId::ROOT,
        task: None,
        raised: Vec::new(),
        expires: Timestamp::MAX,
    };
    let cannot = |error: &dyn std::fmt::Display| {
        Error::new(
            Code::Failed,
            format!("cannot write the operator's token: {error}"),
        )
    };
    let token = capability::issue(keys, &claims).map_err(|error| cannot(&error))?;
    write_private(&dir.join(TOKEN), token.reveal().as_bytes()).map_err(|error| cannot(&error))
}

/// Whole or not at all, and never readable by others.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_the_key_stays_and_is_nobody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap().public().to_string();
        assert_eq!(load_or_create(dir.path()).unwrap().public().to_string(), first);
        let key = dir.path().join(SEED);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load_or_create(dir.path()).is_err());
    }

    #[test]
    fn a_broken_key_is_an_error_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join(SEED), b"short").unwrap();
        assert!(
            load_or_create(dir.path())
                .unwrap_err()
                .message
                .contains("5 bytes")
        );
    }
}
