//! The runtime's keys, and the unambiguous byte strings that it signs.
//!
//! A signed message begins with the name of what it is, so that a signature of one sort never
//! counts as one of another; every field that can vary in length is preceded by its length, so
//! that no two messages are the same bytes. All numbers are big-endian.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use worknode_core::ids::RunId;

/// The key pair with which the runtime signs verdicts and capabilities (Ed25519).
pub struct SigningKeys(SigningKey);

impl SigningKeys {
    /// The key pair of a 32-byte secret. The caller owns the randomness, and the file.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The half that may be shown.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// What only the daemon and the shim of `run` know: a function of the key, so that the next
    /// daemon knows it too, and that nobody without the key can guess (signatures of Ed25519 are
    /// deterministic, RFC 8032).
    #[must_use]
    pub fn secret_of(&self, run: RunId) -> [u8; 32] {
        let message = Message::of("worknode shim").bytes(run.as_uuid().as_bytes());
        Sha256::digest(self.sign(&message)).into()
    }

    /// A secret that follows from the key and a message, and from neither alone.
    pub(crate) fn derived(&self, message: &Message) -> [u8; 32] {
        Sha256::digest(self.sign(message)).into()
    }

    pub(crate) fn sign(&self, message: &Message) -> [u8; 64] {
        self.0.sign(&message.0).to_bytes()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.public())
    }
}

/// The key with which anybody can check the runtime's signatures. Its text is base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    pub(crate) fn verifies(&self, message: &Message, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(&message.0, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not an Ed25519 public key in base64url (43 characters)")]
pub struct NotAKey;

impl std::str::FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAKey)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| NotAKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| NotAKey)
    }
}

/// The SHA-256 digest of a message, as text.
#[must_use]
pub fn digest(message: &Message) -> String {
    digest_of(&message.0)
}

/// The SHA-256 digest of these bytes and nothing else, as text.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A message in the making.
#[must_use]
pub struct Message(Vec<u8>);

/// Secrets are made of messages that hold secrets.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} bytes)", self.0.len())
    }
}

impl Message {
    /// Begins a message of the sort `domain`.
    pub fn of(domain: &str) -> Self {
        Self(Vec::new()).bytes(domain.as_bytes())
    }

    /// Eight bytes.
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// The length as a number, then the bytes.
    pub fn bytes(self, bytes: &[u8]) -> Self {
        // No slice is longer than 2^64 bytes.
        let mut next = self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        next.0.extend_from_slice(bytes);
        next
    }

    /// One, then the bytes; or zero.
    pub(crate) fn optional(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            Some(bytes) => self.number(1).bytes(bytes),
            None => self.number(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p9_debug_hides_the_secret() {
        let keys = SigningKeys::from_seed([42; 32]);
        let shown = format!("{keys:?}");
        assert!(!shown.contains("42, 42") && !shown.contains("2a2a"), "{shown}");
        assert_eq!(shown, format!("SigningKeys({})", keys.public()));
    }

    #[test]
    fn public_keys_round_trip_as_text() {
        let key = SigningKeys::from_seed([1; 32]).public();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        assert!("rubbish".parse::<PublicKey>().is_err());
        assert!("".parse::<PublicKey>().is_err());
    }

    #[test]
    fn no_two_messages_are_the_same_bytes() {
        let split = |a: &str, b: &str| Message::of("x").bytes(a.as_bytes()).bytes(b.as_bytes()).0;
        assert_ne!(split("ab", "c"), split("a", "bc"));
        let maybe = |value: Option<&[u8]>| Message::of("x").optional(value).0;
        assert_ne!(maybe(None), maybe(Some(b"")));
        assert_ne!(Message::of("a").0, Message::of("b").0);
    }

    #[test]
    fn a_signature_of_one_sort_is_none_of_another() {
        let keys = SigningKeys::from_seed([1; 32]);
        let signature = keys.sign(&Message::of("a").bytes(b"same"));
        assert!(
            keys.public()
                .verifies(&Message::of("a").bytes(b"same"), &signature)
        );
        assert!(
            !keys
                .public()
                .verifies(&Message::of("b").bytes(b"same"), &signature)
        );
        assert!(
            !keys
                .public()
                .verifies(&Message::of("a").bytes(b"same"), &signature[..63])
        );
    }
}
