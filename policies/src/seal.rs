//! What the runtime keeps for itself outside of its journal, and knows again: bytes under a name, with
//! its signature. Nobody else can write such bytes, or put those of one name under another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::signing::{Message, PublicKey, SigningKeys};

fn message(name: &str, bytes: &[u8]) -> Message {
    Message::of("worknode kept v1")
        .bytes(name.as_bytes())
        .bytes(bytes)
}

/// The signature of `bytes` under this name, as text without a line break.
#[must_use]
pub fn seal(keys: &SigningKeys, name: &str, bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(keys.sign(&message(name, bytes)))
}

/// Did the runtime of this key keep exactly these bytes under this name?
#[must_use]
pub fn holds(key: &PublicKey, name: &str, bytes: &[u8], seal: &str) -> bool {
    let signature = URL_SAFE_NO_PAD.decode(seal);
    signature.is_ok_and(|signature| key.verifies(&message(name, bytes), &signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_only_what_the_runtime_kept_under_a_name_holds_there() {
        let keys = SigningKeys::from_seed([7; 32]);
        let (key, sealed) = (keys.public(), seal(&keys, "a", b"three tests"));
        assert!(holds(&key, "a", b"three tests", &sealed));
        assert!(!holds(&key, "a", b"two tests", &sealed));
        assert!(!holds(&key, "b", b"three tests", &sealed));
        assert!(!holds(&key, "a", b"three tests", ""));
        let other = SigningKeys::from_seed([8; 32]);
        assert!(!holds(
            &key,
            "a",
            b"three tests",
            &seal(&other, "a", b"three tests")
        ));
    }
}
