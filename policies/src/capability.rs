//! Capabilities: signed tokens that say what their holder may do, where, and until when.
//!
//! ```text
//! wn1.<base64url(claims as JSON)>.<base64url(Ed25519 signature)>
//! ```
//!
//! The signature covers the name of this format and the JSON bytes exactly as they stand (see
//! [`crate::signing`]). Base64url is without padding, and only its one canonical spelling is
//! read. The claims carry a version, and unknown fields are refused: a token that says more
//! than this version understands must not be read as saying less.

use std::{collections::BTreeSet, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use worknode_core::{
    agent::Tier,
    command::Operation,
    error::{Code, Error},
    event::Principal,
    ids::NodeId,
    raise::Raise,
    time::Timestamp,
};

use crate::signing::{Message, PublicKey, SigningKeys};

const DOMAIN: &str = "worknode capability v1";
const PREFIX: &str = "wn1";

/// Version of the claims that this build writes and reads.
pub const VERSION: u8 = 1;
/// Longest token that is read, in bytes. Longer ones are refused before any work is done.
pub const LENGTH: usize = 4096;

/// The hold on a task under which a run may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskHold {
    /// The task.
    pub node: NodeId,
    /// The claim: later claims of the same task are not this holder's.
    pub epoch: u64,
}

/// What a capability says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Version of these claims: [`VERSION`].
    pub version: u8,
    /// Who holds it.
    pub principal: Principal,
    /// What it may do.
    pub operations: BTreeSet<Operation>,
    /// To this Worknode and all below it.
    pub subtree: NodeId,
    /// The task that it may report on; none for those who hold no task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskHold>,
    /// What it may do beside, each until its own instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<Raise>,
    /// From this instant on it is worth nothing.
    pub expires: Timestamp,
}

/// A capability as text. A secret: whoever has it may do what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The text, to be handed to its holder and to nobody else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The claims cannot be made into a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the capability of {principal} would be longer than {LENGTH} bytes")]
pub struct CannotIssue {
    /// Whose.
    pub principal: String,
}

/// Why a token is worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a token of this format and version.
    #[error("this is not a capability of this version")]
    Malformed,
    /// Another key signed it, or it was changed.
    #[error("the capability does not carry the runtime's signature")]
    BadSignature,
    /// It was good once.
    #[error("the capability expired at {at}")]
    Expired {
        /// When.
        at: Timestamp,
    },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(Code::Forbidden, refusal.to_string());
        match refusal {
            Refusal::Malformed => error.hint("a capability begins with `wn1.`"),
            Refusal::BadSignature => {
                error.hint("it may be from another store, or from before its keys changed")
            }
            Refusal::Expired { .. } => error.hint("a run's capability ends with the run"),
        }
    }
}

/// What each tier may do at all. A capability may hold less, and never holds more.
#[must_use]
pub fn operations_of(tier: Tier) -> BTreeSet<Operation> {
    let operations: &[Operation] = match tier {
        Tier::Executive => &[
            Operation::Read,
            Operation::Claim,
            Operation::Note,
            Operation::Write,
            Operation::Spawn,
            Operation::Kill,
        ],
        Tier::Implementation => &[Operation::Read, Operation::Work, Operation::Note],
        Tier::Validation => &[Operation::Read, Operation::Review, Operation::Note],
    };
    operations.iter().copied().collect()
}

/// What a principal may do at all: an agent what its tier may, the operator all that is not
/// the runtime's own business.
#[must_use]
pub fn most_of(principal: &Principal) -> BTreeSet<Operation> {
    const OPERATOR: [Operation; 8] = [
        Operation::Read,
        Operation::Note,
        Operation::Work,
        Operation::Claim,
        Operation::Review,
        Operation::Write,
        Operation::Spawn,
        Operation::Kill,
    ];
    match principal {
        Principal::Operator => BTreeSet::from(OPERATOR),
        Principal::Runtime => OPERATOR.into_iter().chain([Operation::Administer]).collect(),
        // A trigger acts in the name of the configuration: it starts, stops and records.
        Principal::Trigger { .. } => operations_of(Tier::Executive),
        Principal::Agent { tier, .. } => operations_of(*tier),
        Principal::Outside { .. } => {
            let mut operations = usual_outside();
            operations.insert(Operation::Review);
            operations
        }
    }
}

/// What somebody outside may do who is given no more: everything that they may at all but review. Whose
/// word is to count for others' work is decided one by one.
#[must_use]
pub fn usual_outside() -> BTreeSet<Operation> {
    [
        Operation::Read,
        Operation::Work,
        Operation::Claim,
        Operation::Note,
    ]
    .into()
}

/// Signs `claims`.
///
/// # Errors
/// [`CannotIssue`] when the token would be longer than [`LENGTH`]: only an absurdly long name
/// does that.
pub fn issue(keys: &SigningKeys, claims: &Claims) -> Result<Token, CannotIssue> {
    let cannot = || CannotIssue {
        principal: claims.principal.to_string(),
    };
    let json = serde_json::to_vec(claims).map_err(|_| cannot())?;
    let signature = keys.sign(&message(&json));
    let token = format!(
        "{PREFIX}.{}.{}",
        URL_SAFE_NO_PAD.encode(&json),
        URL_SAFE_NO_PAD.encode(signature)
    );
    if token.len() > LENGTH {
        return Err(cannot());
    }
    Ok(Token(token))
}

/// Checks a token and says what it allows at `now`: what was raised and is over is not in the
/// answer. Nothing in it is read before its signature is good.
///
/// # Errors
/// [`Refusal`] when it is not a token, not the runtime's, or too old at `now`.
pub fn verify(token: &str, key: &PublicKey, now: Timestamp) -> Result<Claims, Refusal> {
    if token.len() > LENGTH {
        return Err(Refusal::Malformed);
    }
    let mut parts = token.split('.');
    let (Some(PREFIX), Some(json), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Malformed);
    };
    let decoded = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
    let (json, signature) = (decoded(json)?, decoded(signature)?);
    if !key.verifies(&message(&json), &signature) {
        return Err(Refusal::BadSignature);
    }
    let mut claims: Claims = serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)?;
    if claims.version != VERSION {
        return Err(Refusal::Malformed);
    }
    if now >= claims.expires {
        return Err(Refusal::Expired { at: claims.expires });
    }
    // What was raised ends before the rest does.
    claims.raised.retain(|raise| raise.holds_at(now));
    Ok(claims)
}

fn message(json: &[u8]) -> Message {
    Message::of(DOMAIN).bytes(json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{agent, keys, node};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn claims() -> Claims {
        Claims {
            version: VERSION,
            principal: agent(1, Tier::Implementation),
            operations: operations_of(Tier::Implementation),
            subtree: node(2),
            task: Some(TaskHold {
                node: node(3),
                epoch: 4,
            }),
            raised: Vec::new(),
            expires: at(1_000),
        }
    }

    fn token() -> String {
        issue(&keys(), &claims()).unwrap().reveal().to_owned()
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let key = keys().public();
        assert_eq!(verify(&token(), &key, at(999)), Ok(claims()));
        assert_eq!(
            verify(&token(), &key, at(1_000)),
            Err(Refusal::Expired { at: at(1_000) })
        );
    }

    #[test]
    fn p9_what_was_raised_is_worth_nothing_from_its_end_on() {
        let mut raised = claims();
        raised.raised = vec![Raise {
            tier: Some(Tier::Executive),
            permissions: BTreeSet::new(),
            until: at(500),
        }];
        let token = issue(&keys(), &raised).unwrap();
        let key = keys().public();
        let at_time = |now| verify(token.reveal(), &key, at(now)).unwrap();
        assert_eq!(at_time(499), raised);
        assert_eq!(at_time(500), claims(), "the rest goes on");
    }

    #[test]
    fn p8_as_much_as_a_task_can_be_raised_fits_into_a_token() {
        use worknode_core::{bounds, raise::Permission as P};
        let all = [P::Claim, P::Write, P::Spawn, P::Kill, P::Network, P::Workspaces];
        let raise = Raise {
            tier: Some(Tier::Executive),
            permissions: all.into(),
            until: at(u64::from(u32::MAX) * 1_000),
        };
        let mut most = claims();
        most.principal = agent(1, Tier::Implementation);
        most.raised = vec![raise; bounds::RAISES + 1];
        assert!(issue(&keys(), &most).is_ok());
    }

    #[test]
    fn p9_another_key_s_token_is_worth_nothing() {
        let forged = issue(&SigningKeys::from_seed([9; 32]), &claims()).unwrap();
        let refused = verify(forged.reveal(), &keys().public(), at(0));
        assert_eq!(refused, Err(Refusal::BadSignature));
    }

    #[test]
    fn p9_a_token_that_says_more_than_is_understood_is_refused() {
        let signed = |json: &str| {
            let signature = keys().sign(&message(json.as_bytes()));
            let (json, signature) = (URL_SAFE_NO_PAD.encode(json), URL_SAFE_NO_PAD.encode(signature));
            verify(&format!("wn1.{json}.{signature}"), &keys().public(), at(0))
        };
        let good = serde_json::to_string(&claims()).unwrap();
        assert!(signed(&good).is_ok());
        assert_eq!(
            signed(&good.replacen('{', r#"{"only_on_mondays":true,"#, 1)),
            Err(Refusal::Malformed)
        );
        assert_eq!(
            signed(&good.replace(r#""version":1"#, r#""version":2"#)),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn rubbish_is_malformed() {
        let key = keys().public();
        for bad in [
            "",
            "wn1",
            "wn1..",
            "wn1.a.b.c",
            "wn2.e30.e30",
            "Bearer x",
            &"x".repeat(1 << 20),
        ] {
            let refused = verify(bad, &key, at(0)).unwrap_err();
            assert!(
                matches!(refused, Refusal::Malformed | Refusal::BadSignature),
                "{bad:.20}"
            );
        }
        assert_eq!(
            verify(&format!("{}.", token()), &key, at(0)),
            Err(Refusal::Malformed)
        );
    }

    #[test]
    fn p8_a_token_is_never_longer_than_what_is_read() {
        let mut long = claims();
        long.principal = Principal::Trigger {
            name: "x".repeat(5_000),
        };
        assert!(issue(&keys(), &long).is_err());
    }

    #[test]
    fn p9_debug_hides_the_token() {
        assert_eq!(format!("{:?}", issue(&keys(), &claims()).unwrap()), "Token(…)");
    }

    #[test]
    fn p9_each_tier_has_the_least() {
        use Operation as O;
        let list = |set: BTreeSet<O>| set.into_iter().collect::<Vec<_>>();
        assert_eq!(
            list(operations_of(Tier::Implementation)),
            [O::Read, O::Work, O::Note]
        );
        assert_eq!(
            list(operations_of(Tier::Validation)),
            [O::Read, O::Review, O::Note]
        );
        assert_eq!(
            list(operations_of(Tier::Executive)),
            [O::Read, O::Claim, O::Note, O::Write, O::Spawn, O::Kill]
        );
        assert!(!most_of(&Principal::Operator).contains(&O::Administer));
        assert!(most_of(&Principal::Runtime).contains(&O::Administer));
    }

    proptest! {
        #[test]
        fn p9_a_token_with_any_byte_changed_never_verifies(at_byte in any::<prop::sample::Index>(), mask in 1_u8..=255) {
            let mut bytes = token().into_bytes();
            let index = at_byte.index(bytes.len());
            bytes[index] ^= mask;
            let changed = String::from_utf8_lossy(&bytes);
            prop_assert!(verify(&changed, &keys().public(), at(0)).is_err());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(wn1\\.)?[A-Za-z0-9_.=-]{0,200}") {
            prop_assert!(verify(&text, &keys().public(), at(0)).is_err());
        }
    }

    #[test]
    fn p9_every_single_bit_matters() {
        let good = token().into_bytes();
        for index in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[index] ^= 1 << bit;
                let changed = String::from_utf8_lossy(&bytes);
                assert!(
                    verify(&changed, &keys().public(), at(0)).is_err(),
                    "bit {bit} of byte {index}"
                );
            }
        }
    }
}
