//! Making, narrowing, sealing and opening tokens.
//!
//! No randomness is needed: the secret of each link's key is a digest of the secret before it and
//! of what the link says. Whoever holds the wider token could make the narrower one anyway; nobody
//! finds the way back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worknode_core::{ids::NodeId, time::Timestamp};

use super::{CannotIssue, Claims, LENGTH, LINKS, Narrowing, Place, Refusal, Ring, Token, VERSION};
use crate::signing::{Message, PublicKey, SigningKeys, digest};

const PREFIX: &str = "wn2";
const LINK: &str = "worknode capability v2";
const SECRET: &str = "worknode capability v2 secret";
const SEAL: &str = "worknode capability v2 seal";
/// Digits of a token's id.
const ID: usize = 32;

/// One link as it is signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link<T> {
    says: T,
    next: String,
}

/// The parts of a token, taken apart and not checked.
struct Parts<'a> {
    /// JSON and signature of each link, as text.
    links: Vec<(&'a str, &'a str)>,
    proof: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > LENGTH {
            return Err(Refusal::TooLong);
        }
        let rest = token.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('.'));
        let parts: Vec<&str> = rest.ok_or(Refusal::Malformed)?.split('.').collect();
        let (proof, links) = parts.split_last().ok_or(Refusal::Malformed)?;
        if links.is_empty() || links.len() % 2 == 1 {
            return Err(Refusal::Truncated);
        }
        if links.len() / 2 > LINKS + 1 {
            return Err(Refusal::TooLong);
        }
        let links = links.chunks_exact(2).filter_map(|pair| match pair {
            [json, signature] => Some((*json, *signature)),
            _ => None,
        });
        Ok(Self {
            links: links.collect(),
            proof: decoded(proof)?,
        })
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)
}

fn link<T: DeserializeOwned>(json: &[u8]) -> Result<(T, PublicKey), Refusal> {
    let link: Link<T> = serde_json::from_slice(json).map_err(|_| Refusal::Malformed)?;
    let next = link.next.parse().map_err(|_| Refusal::Malformed)?;
    Ok((link.says, next))
}

/// What the signature of a link covers.
fn message(place: usize, before: &[u8], json: &[u8]) -> Message {
    // A chain has at most a handful of links.
    let place = u64::try_from(place).unwrap_or(u64::MAX);
    Message::of(LINK).number(place).bytes(before).bytes(json)
}

/// What a token says, once its signatures are good. Whether it counts now is another question:
/// see [`Opened::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    claims: Claims,
    subtrees: Vec<NodeId>,
    ids: Vec<String>,
    notes: Vec<String>,
    key_until: Timestamp,
    sealed: bool,
}

impl Opened {
    /// What it allows, after all that it was narrowed to.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The same at an instant: what was raised and is over by then is not in it.
    #[must_use]
    pub fn claims_at(&self, now: Timestamp) -> Claims {
        let mut claims = self.claims.clone();
        claims.raised.retain(|raise| raise.holds_at(now));
        claims
    }

    /// The parts of the tree that it was for, one after the other: each must be at or below the one
    /// before it, which only the tree can tell.
    #[must_use]
    pub fn subtrees(&self) -> &[NodeId] {
        &self.subtrees
    }

    /// The ids of the tokens that it was made from, the first first, and its own at the end.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What was noted with each narrowing.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Can nobody narrow it further?
    #[must_use]
    pub const fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Does it count at `now`, where `here` is asked? `is_at_or_below(node, top)` tells of the tree.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn check(
        &self,
        now: Timestamp,
        here: &str,
        is_at_or_below: impl Fn(NodeId, NodeId) -> bool,
    ) -> Result<(), Refusal> {
        let at = self.claims.expires;
        if now >= at {
            return Err(Refusal::Expired { at });
        }
        if now >= self.key_until {
            return Err(Refusal::OldKey);
        }
        if let Some(audience) = &self.claims.limits.audience
            && !audience.contains(here)
        {
            let whom: Vec<_> = audience.iter().map(String::as_str).collect();
            return Err(Refusal::OtherAudience {
                whom: whom.join(", "),
                here: here.to_owned(),
            });
        }
        let outside = self.subtrees.windows(2).position(|pair| match pair {
            [outer, inner] => *outer != NodeId::ROOT && !is_at_or_below(*inner, *outer),
            _ => false,
        });
        match outside {
            None => Ok(()),
            Some(at) => Err(Refusal::Widened {
                what: "part of the tree",
                place: Place(at + 1),
            }),
        }
    }
}

/// Signs `claims`. Whoever gets the token may narrow it.
///
/// # Errors
/// [`CannotIssue`] when the token would be longer than [`LENGTH`]: only an absurdly long name
/// does that.
pub fn issue(keys: &SigningKeys, claims: &Claims) -> Result<Token, CannotIssue> {
    let cannot = || CannotIssue {
        principal: claims.principal.to_string(),
    };
    let says = serde_json::to_vec(claims).map_err(|_| cannot())?;
    let secret = keys.derived(&Message::of(SECRET).bytes(&says));
    let text = linked(PREFIX, 0, &[], claims, keys, secret).ok_or_else(cannot)?;
    Ok(Token(text))
}

/// The text so far, with one link more and its proof.
fn linked<T: Serialize>(
    text: &str,
    place: usize,
    before: &[u8],
    says: &T,
    by: &SigningKeys,
    secret: [u8; 32],
) -> Option<String> {
    let next = SigningKeys::from_seed(secret).public().to_string();
    let json = serde_json::to_vec(&Link { says, next }).ok()?;
    let signature = by.sign(&message(place, before, &json));
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = format!("{text}.{}.{}.{}", part(&json), part(&signature), part(&secret));
    (text.len() <= LENGTH).then_some(text)
}

/// Makes a narrower token of one, offline: nobody is asked. Its signatures are not looked at, which
/// needs the runtime's key: whoever is handed the result does that.
///
/// # Errors
/// [`Refusal`], above all [`Refusal::Widened`], naming what would be more.
pub fn attenuate(token: &str, narrowing: &Narrowing) -> Result<Token, Refusal> {
    let parts = Parts::of(token)?;
    if parts.links.len() > LINKS {
        return Err(Refusal::TooLong);
    }
    let mut opened = read(&parts, None)?;
    if opened.sealed {
        return Err(Refusal::Sealed);
    }
    let place = parts.links.len();
    let widened = |what| Refusal::Widened {
        what,
        place: Place(place),
    };
    narrowing.narrow(&mut opened.claims).map_err(widened)?;
    let seed: [u8; 32] = parts
        .proof
        .as_slice()
        .try_into()
        .map_err(|_| Refusal::Truncated)?;
    let by = SigningKeys::from_seed(seed);
    let (_, before) = parts.links.last().ok_or(Refusal::Truncated)?;
    let before = decoded(before)?;
    let says = serde_json::to_vec(narrowing).map_err(|_| Refusal::Malformed)?;
    let secret = by.derived(&Message::of(SECRET).bytes(&before).bytes(&says));
    let body = token.rsplit_once('.').map_or(token, |(body, _)| body);
    linked(body, place, &before, narrowing, &by, secret)
        .map(Token)
        .ok_or(Refusal::TooLong)
}

/// The same token, which nobody can narrow any more.
///
/// # Errors
/// [`Refusal`].
pub fn seal(token: &str) -> Result<Token, Refusal> {
    let parts = Parts::of(token)?;
    let seed: [u8; 32] = parts.proof.as_slice().try_into().map_err(|_| Refusal::Sealed)?;
    let (_, last) = parts.links.last().ok_or(Refusal::Truncated)?;
    let proof = SigningKeys::from_seed(seed).sign(&Message::of(SEAL).bytes(&decoded(last)?));
    let body = token.rsplit_once('.').map_or(token, |(body, _)| body);
    Ok(Token(format!("{body}.{}", URL_SAFE_NO_PAD.encode(proof))))
}

/// Checks every signature of a token and says what it allows. Nothing in it counts before its
/// signature is good.
///
/// # Errors
/// [`Refusal`] when it is not a token, not the runtime's, changed, cut short or widened.
pub fn open(token: &str, ring: &Ring) -> Result<Opened, Refusal> {
    read(&Parts::of(token)?, Some(ring))
}

/// What a token says, without a key: for those who hold it and want to look at it. It may be forged.
///
/// # Errors
/// [`Refusal`] when it is not a token, cut short or widened, or a narrowing of it was changed.
pub fn peek(token: &str) -> Result<Opened, Refusal> {
    read(&Parts::of(token)?, None)
}

fn read(parts: &Parts<'_>, ring: Option<&Ring>) -> Result<Opened, Refusal> {
    let mut links = parts.links.iter().enumerate();
    let (_, (json, signature)) = links.next().ok_or(Refusal::Truncated)?;
    let (json, mut before) = (decoded(json)?, decoded(signature)?);
    let key_until = match ring {
        Some(ring) => ring.verify(&message(0, &[], &json), &before)?,
        None => Timestamp::MAX,
    };
    let (claims, mut next): (Claims, PublicKey) = link(&json)?;
    if claims.version != VERSION {
        return Err(Refusal::Malformed);
    }
    let mut opened = Opened {
        subtrees: vec![claims.subtree],
        ids: claims.from.iter().cloned().chain([id(&before)]).collect(),
        claims,
        notes: Vec::new(),
        key_until,
        sealed: false,
    };
    for (at, (json, signature)) in links {
        let (json, signature) = (decoded(json)?, decoded(signature)?);
        if !next.verifies(&message(at, &before, &json), &signature) {
            return Err(Refusal::BadSignature { place: Place(at) });
        }
        let (narrowing, key): (Narrowing, PublicKey) = link(&json)?;
        let widened = |what| Refusal::Widened {
            what,
            place: Place(at),
        };
        narrowing.narrow(&mut opened.claims).map_err(widened)?;
        opened.subtrees.extend(narrowing.subtree);
        opened.ids.push(id(&signature));
        opened.notes.push(narrowing.note);
        (next, before) = (key, signature);
    }
    opened.sealed = proved(&parts.proof, &before, &next)?;
    Ok(opened)
}

/// Is the proof that of the last link, and is it a seal? Without this a narrower token could be
/// handed in as the wider one that it was made from.
fn proved(proof: &[u8], last: &[u8], next: &PublicKey) -> Result<bool, Refusal> {
    if let Ok(seed) = <[u8; 32]>::try_from(proof) {
        let holds = SigningKeys::from_seed(seed).public() == *next;
        return if holds { Ok(false) } else { Err(Refusal::Truncated) };
    }
    if next.verifies(&Message::of(SEAL).bytes(last), proof) {
        Ok(true)
    } else {
        Err(Refusal::Truncated)
    }
}

/// A token's id: a digest of its last signature, which tells nothing of its secret.
fn id(signature: &[u8]) -> String {
    let digest = digest(&Message::of("worknode capability v2 id").bytes(signature));
    let digits = digest.trim_start_matches("sha256:");
    digits.chars().take(ID).collect()
}

/// A narrowing that nobody checked, signed by whoever holds the token: what an attacker makes.
#[cfg(test)]
pub(super) fn forge(token: &str, narrowing: &Narrowing) -> String {
    let parts = Parts::of(token).unwrap();
    let seed: [u8; 32] = parts.proof.as_slice().try_into().unwrap();
    let before = decoded(parts.links.last().unwrap().1).unwrap();
    let body = token.rsplit_once('.').unwrap().0;
    let by = SigningKeys::from_seed(seed);
    linked(body, parts.links.len(), &before, narrowing, &by, [3; 32]).unwrap()
}

/// Whatever claims, signed by the runtime's own key.
#[cfg(test)]
pub(super) fn signed(keys: &SigningKeys, json: &[u8]) -> String {
    let signature = keys.sign(&message(0, &[], json));
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{PREFIX}.{}.{}.{}", part(json), part(&signature), part(&[3; 32]))
}
