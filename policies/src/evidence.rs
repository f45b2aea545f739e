//! What a verdict was decided on, as one digest that its signature covers.
//!
//! A gate that only reads files decides on the tree, which the verdict names. One that runs a program
//! decides on how it ended and what it wrote, and that of tests also on what was counted on the base:
//! none of it is in the tree, and the same program may answer otherwise tomorrow. So all of it is in
//! the digest, and what somebody kept of it can be compared with the verdict.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use worknode_core::{git::TreeId, verdict::Finding};

use crate::signing::{Message, digest};

/// Of verdicts that were decided on nothing but the tree.
const OF_TREE: &str = "worknode evidence v1";
/// Of those that were decided on more.
const OF_MATERIAL: &str = "worknode evidence v2";

/// What a gate looked at beside the tree: the digest of each thing, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Material(BTreeMap<String, [u8; 32]>);

impl Material {
    /// Adds what was looked at under this name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, bytes: &[u8]) -> Self {
        self.0.insert(name.into(), Sha256::digest(bytes).into());
        self
    }
}

/// Digest of what a gate found, all of it, in this tree and in what it looked at beside.
#[must_use]
pub fn evidence_digest(findings: &[Finding], tree: &TreeId, material: &Material) -> String {
    // Findings are plain data; that cannot fail to become JSON.
    let findings = serde_json::to_vec(findings).unwrap_or_default();
    let of = |domain| {
        Message::of(domain)
            .bytes(&findings)
            .bytes(tree.as_str().as_bytes())
    };
    if material.0.is_empty() {
        return digest(&of(OF_TREE));
    }
    let count = u64::try_from(material.0.len()).unwrap_or(u64::MAX);
    let each =
        |message: Message, (name, seen): (&String, &[u8; 32])| message.bytes(name.as_bytes()).bytes(seen);
    digest(&material.0.iter().fold(of(OF_MATERIAL).number(count), each))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    fn ran() -> Material {
        Material::default().with("end", b"0").with("stdout", b"1 passed")
    }

    #[test]
    fn p3_whatever_was_looked_at_is_in_the_digest() {
        let of =
            |findings: &[Finding], at, material: &Material| evidence_digest(findings, &tree(at), material);
        let same = of(&[], 1, &ran());
        assert_eq!(same, of(&[], 1, &ran()));
        for other in [
            of(&[Finding::new("tests.fewer", "less")], 1, &ran()),
            of(&[], 2, &ran()),
            of(&[], 1, &Material::default()),
            of(&[], 1, &ran().with("stdout", b"2 passed")),
            of(&[], 1, &ran().with("base", b"3 passed")),
            of(&[], 1, &Material::default().with("end", b"0")),
            of(
                &[],
                1,
                &Material::default().with("end0", b"").with("stdout", b"1 passed"),
            ),
        ] {
            assert_ne!(same, other);
        }
    }

    /// As it was before material was told of: a gate that reads files has the same digest for ever.
    #[test]
    fn p3_of_a_tree_alone_it_is_what_it_was() {
        let tree = tree(1);
        let message = Message::of("worknode evidence v1")
            .bytes(b"[]")
            .bytes(tree.as_str().as_bytes());
        assert_eq!(
            evidence_digest(&[], &tree, &Material::default()),
            digest(&message)
        );
    }
}
