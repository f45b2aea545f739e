//! The runtime's keys and the operator's token.
//!
//! | file | what it is |
//! |---|---|
//! | `daemon.key` | signs verdicts; secrets of shims follow from it. It stays |
//! | `capability.key` | signs capabilities; it can be replaced |
//! | `capability.old` | those before it, and until when each counts |
//! | `revoked.json` | capabilities that were taken back |
//! | `operator.token` | the operator's capability, for programs that come through TCP |

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};
use worknode_actors::capabilities::Capabilities;
use worknode_core::{
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    time::Timestamp,
};
use worknode_policies::{
    capability::{self, Claims, Limits, Revoked, Ring, most_of, revoked::Entry},
    verdict::{PublicKey, SigningKeys},
};

const SEED: &str = "daemon.key";
const CAPABILITY_SEED: &str = "capability.key";
const OLDER: &str = "capability.old";
const REVOKED: &str = "revoked.json";
const TOKEN: &str = "operator.token";

/// Reads the key below `dir`, or makes one there: a directory that only its owner can enter.
///
/// # Errors
/// When the files cannot be read or written, or others could read them.
pub fn load_or_create(dir: &Path) -> Result<SigningKeys, Error> {
    fs::create_dir_all(dir).map_err(|error| cannot_keep(dir, &error))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|error| cannot_keep(dir, &error))?;
    Ok(SigningKeys::from_seed(seed_or_new(&dir.join(SEED))?))
}

/// Reads what capabilities are signed with and what is revoked, and writes the operator's token.
///
/// # Errors
/// As [`load_or_create`].
pub fn capabilities(dir: &Path) -> Result<Capabilities, Error> {
    let keys = SigningKeys::from_seed(seed_or_new(&dir.join(CAPABILITY_SEED))?);
    let ring = Ring {
        present: keys.public(),
        older: listed(&dir.join(OLDER))?,
    };
    write_operator_token(dir, &keys)?;
    Ok(Capabilities::new(keys, ring, listed(&dir.join(REVOKED))?))
}

/// The halves of the capability keys below `dir` that may be shown, and what is revoked; `None` when
/// there are none.
///
/// # Errors
/// When they cannot be read.
pub fn ring(dir: &Path) -> Result<Option<(Ring, Revoked)>, Error> {
    let path = dir.join(CAPABILITY_SEED);
    let Some(seed) = seed_at(&path)? else {
        return Ok(None);
    };
    let ring = Ring {
        present: SigningKeys::from_seed(seed).public(),
        older: listed(&dir.join(OLDER))?,
    };
    Ok(Some((ring, listed(&dir.join(REVOKED))?)))
}

/// Replaces the key that signs capabilities. What was signed so far counts until `until` at the latest;
/// when nothing of it counts at `now` any more, it never will again, and nothing of it needs to be revoked
/// either.
///
/// # Errors
/// When the files cannot be written. The last key signs on then, unless only the operator's token or the
/// revocations could not be: asking again writes them.
pub fn rotate(
    dir: &Path,
    capabilities: &Capabilities,
    now: Timestamp,
    until: Timestamp,
) -> Result<Ring, Error> {
    let changing = capabilities.changing();
    let seed = new_seed().map_err(|error| cannot_keep(dir, &error))?;
    let keys = SigningKeys::from_seed(seed);
    let mut ring = changing.ring().replaced_by(keys.public(), until);
    // First the last key among the older: a crash in between leaves it there and present, and it signs on.
    write_listed(&dir.join(OLDER), &ring.older)?;
    write_private(&dir.join(CAPABILITY_SEED), &seed).map_err(|error| cannot_keep(dir, &error))?;
    let written = write_operator_token(dir, &keys);
    // Only now: before, the last key might have been the present one again after a crash.
    let is_over = !ring.older.iter().any(|older| older.until > now);
    let mut ended = Ok(());
    if is_over {
        // A clock that is set back brings nothing back whose revocation is forgotten.
        ring = ring.without_grace();
        ended = write_listed(&dir.join(OLDER), &ring.older);
    }
    changing.turn(keys, ring.clone());
    written?;
    ended?;
    if is_over {
        write_listed(&dir.join(REVOKED), &Revoked::default())?;
        changing.revoke(Revoked::default());
    }
    Ok(ring)
}

/// Revokes: on the disk first, so that a crash forgets nothing that was answered.
///
/// # Errors
/// When there are too many, or the file cannot be written.
pub fn revoke(dir: &Path, capabilities: &Capabilities, entry: Entry) -> Result<(), Error> {
    let changing = capabilities.changing();
    let revoked = changing.revoked().and(entry);
    let revoked = revoked.map_err(|error| Error::new(Code::LimitReached, error.to_string()))?;
    write_listed(&dir.join(REVOKED), &revoked)?;
    changing.revoke(revoked);
    Ok(())
}

fn cannot_keep(dir: &Path, error: &io::Error) -> Error {
    Error::new(
        Code::Failed,
        format!("cannot keep the keys in `{}`: {error}", dir.display()),
    )
}

fn seed_or_new(path: &Path) -> Result<[u8; 32], Error> {
    match seed_at(path)? {
        Some(seed) => Ok(seed),
        None => create(path).map_err(|error| cannot_keep(path, &error)),
    }
}

/// The secret in a file that nobody else can read; `None` when there is no such file.
fn seed_at(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    match fs::read(path) {
        Ok(bytes) => private_seed(path, &bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(
            Code::Failed,
            format!("cannot read the key in `{}`: {error}", path.display()),
        )),
    }
}

/// What is listed in a file as JSON; nothing when there is no such file. One that cannot be read is
/// an error: to forget a revocation is to undo it.
fn listed<T: DeserializeOwned + Default>(path: &Path) -> Result<T, Error> {
    let failed = |why: String| {
        Error::new(Code::Failed, format!("cannot read `{}`: {why}", path.display()))
            .hint("restore it from a backup, or delete it if nothing in it is needed")
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn write_listed(path: &Path, list: &impl Serialize) -> Result<(), Error> {
    let failed = |why: String| Error::new(Code::Failed, format!("cannot write `{}`: {why}", path.display()));
    let json = serde_json::to_vec_pretty(list).map_err(|error| failed(error.to_string()))?;
    write_private(path, &json).map_err(|error| failed(error.to_string()))
}

/// The half of the key below `dir` that may be shown; `None` when there is none.
///
/// # Errors
/// When it cannot be read, or others could read it.
pub fn public(dir: &Path) -> Result<Option<PublicKey>, Error> {
    let seed = seed_at(&dir.join(SEED))?;
    Ok(seed.map(|seed| SigningKeys::from_seed(seed).public()))
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
    let seed = new_seed()?;
    write_private(path, &seed)?;
    Ok(seed)
}

fn new_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
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
        issued: Timestamp::default(),
        limits: Limits::default(),
        from: Vec::new(),
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
    // Beside it, under a name of its own: two of the files here differ in their last part only.
    let mut half = path.as_os_str().to_owned();
    half.push(".new");
    let half = Path::new(&half).to_owned();
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
    use worknode_policies::capability::revoked::What;

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
    fn p9_a_replaced_key_counts_until_its_time_and_revocations_stay() {
        let dir = tempfile::tempdir().unwrap();
        let before = capabilities(dir.path()).unwrap();
        let token = fs::read_to_string(dir.path().join(TOKEN)).unwrap();
        let at = Timestamp::from_millis;
        let check =
            |kept: &Capabilities, now| kept.check(&token, at(now), "team", |_, _| Some(true)).map(|_| ());
        assert!(check(&before, 0).is_ok());
        rotate(dir.path(), &before, at(0), at(100)).unwrap();
        // The daemon that did it, and the next one.
        for kept in [&before, &capabilities(dir.path()).unwrap()] {
            assert!(check(kept, 99).is_ok());
            assert!(check(kept, 100).unwrap_err().to_string().contains("replaced"));
        }
        assert_ne!(fs::read_to_string(dir.path().join(TOKEN)).unwrap(), token);

        let id = before
            .check(&token, at(0), "team", |_, _| Some(true))
            .unwrap()
            .ids()[0]
            .clone();
        let entry = Entry {
            what: What::Token { id },
            at: at(5),
            reason: String::new(),
        };
        revoke(dir.path(), &before, entry).unwrap();
        for kept in [&before, &capabilities(dir.path()).unwrap()] {
            assert!(check(kept, 50).unwrap_err().to_string().contains("revoked"));
        }
        for file in [CAPABILITY_SEED, OLDER, REVOKED, TOKEN] {
            let mode = fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        fs::write(dir.path().join(REVOKED), "{").unwrap();
        assert!(capabilities(dir.path()).is_err(), "a revocation is not forgotten");
    }

    fn token_entry(n: usize) -> Entry {
        Entry {
            what: What::Token { id: n.to_string() },
            at: Timestamp::from_millis(1),
            reason: String::new(),
        }
    }

    #[test]
    fn p9_revocations_at_the_same_time_are_all_kept() {
        const EACH: usize = 20;
        let dir = tempfile::tempdir().unwrap();
        let capabilities = capabilities(dir.path()).unwrap();
        std::thread::scope(|scope| {
            for of in 0..4 {
                let (dir, capabilities) = (dir.path(), &capabilities);
                scope.spawn(move || {
                    for n in 0..EACH {
                        revoke(dir, capabilities, token_entry(of * EACH + n)).unwrap();
                    }
                });
            }
        });
        assert_eq!(capabilities.revoked().len(), 4 * EACH);
        assert_eq!(ring(dir.path()).unwrap().unwrap().1.len(), 4 * EACH);
    }

    #[test]
    fn p8_p9_a_key_that_ends_all_before_it_ends_their_revocations_too() {
        let dir = tempfile::tempdir().unwrap();
        let at = Timestamp::from_millis;
        let kept = capabilities(dir.path()).unwrap();
        let first = fs::read_to_string(dir.path().join(TOKEN)).unwrap();
        revoke(dir.path(), &kept, token_entry(1)).unwrap();
        rotate(dir.path(), &kept, at(10), at(100)).unwrap();
        assert_eq!(kept.revoked().len(), 1, "what the last key signed still counts");
        rotate(dir.path(), &kept, at(20), at(20)).unwrap();
        for kept in [&kept, &capabilities(dir.path()).unwrap()] {
            assert!(kept.revoked().is_empty());
            assert!(
                kept.check(&first, at(20), "team", |_, _| Some(true)).is_err(),
                "all that was ever issued is over"
            );
        }
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
