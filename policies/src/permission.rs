//! What a program asks a person for, with the names and digests by which an answer is bound to what
//! was shown.

use worknode_core::{ids::RunId, permission::Request, time::Timestamp};

use crate::signing::{Message, digest};

/// Digits of a request's identity.
const ID: usize = 16;

/// What a program of `run` asks for. `key` is its own name for it.
#[must_use]
pub fn request(run: RunId, key: &str, tool: &str, what: &str, expires: Timestamp) -> Request {
    let id = id(run, key);
    let message = Message::of("worknode permission shown v1");
    let message = message.bytes(id.as_bytes()).bytes(tool.as_bytes());
    Request {
        digest: digest(&message.bytes(what.as_bytes())),
        id,
        tool: tool.to_owned(),
        what: what.to_owned(),
        expires,
    }
}

/// The identity of a request: the same whenever the program's words are read again.
#[must_use]
pub fn id(run: RunId, key: &str) -> String {
    let message = Message::of("worknode permission v1");
    let message = message.bytes(run.to_string().as_bytes()).bytes(key.as_bytes());
    let digits = digest(&message);
    digits.trim_start_matches("sha256:").chars().take(ID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(run: u8, key: &str, tool: &str, what: &str) -> Request {
        request(
            RunId::from_parts(1, [run; 10]),
            key,
            tool,
            what,
            Timestamp::default(),
        )
    }

    #[test]
    fn a_digest_is_of_all_that_is_shown() {
        let asked = of(1, "a", "Bash", "ls");
        assert_eq!(asked, of(1, "a", "Bash", "ls"));
        for other in [
            of(1, "a", "Bash", "rm"),
            of(1, "a", "Write", "ls"),
            of(1, "b", "Bash", "ls"),
            of(2, "a", "Bash", "ls"),
        ] {
            assert_ne!(asked.digest, other.digest, "{other:?}");
        }
        assert_ne!(
            asked.id,
            of(2, "a", "Bash", "ls").id,
            "runs may use the same names"
        );
        assert_eq!(asked.id.len(), ID);
    }
}
