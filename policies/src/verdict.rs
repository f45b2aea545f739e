//! Verdicts: made, bounded, signed, and checked.
//!
//! The signature is Ed25519 over this message (see [`crate::signing`] for how fields are laid
//! out), in base64url without padding:
//!
//! ```text
//! "worknode verdict v1"
//! gate · tree · commit · "passed"|"failed"
//! number of findings, and for each: rule · file? · line? · message · hint?
//! findings beyond those listed · milliseconds
//! ```
//!
//! One that is bound to more than its tree begins with this in place of the first line:
//!
//! ```text
//! "worknode verdict v2"
//! task (16 bytes) · epoch · attempt · base · config · evidence
//! number of tools, and for each: name · version
//! ```
//!
//! One whose findings say more than words begins so, and in each finding after the hint stand
//! function? · measured? · limit?, the latter as they are written:
//!
//! ```text
//! "worknode verdict v3"
//! 0, or 1 and what v2 says from `task` on
//! ```
//!
//! A `?` is a number 0, or 1 and the field. A line is its decimal digits. After the rule of a finding
//! that does not count stand a zero byte and `warning` or `waived`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use worknode_core::{
    bounds,
    git::{CommitId, TreeId},
    task::TaskSpec,
    verdict::{Bound, Finding, Outcome, Verdict, Weight},
};

pub use crate::signing::{PublicKey, SigningKeys};
use crate::{
    signing::{Message, digest},
    text,
};

const DOMAIN: &str = "worknode verdict v1";
/// The domain of verdicts that are bound to more than their tree.
const BOUND: &str = "worknode verdict v2";
/// The domain of verdicts whose findings name functions and measures.
const MEASURED: &str = "worknode verdict v3";

/// Bytes of JSON that the findings of a verdict may take: an event holds
/// [`bounds::EVENT_PAYLOAD`], and the rest of the verdict must fit beside them.
const FINDINGS_BYTES: usize = bounds::EVENT_PAYLOAD * 3 / 4;

/// Bytes of one text in a finding. The longest that a gate of ours writes is half of it.
const TEXT_BYTES: usize = 16 * 1024;

/// What a gate found, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Which gate.
    pub gate: String,
    /// The tree that was judged.
    pub tree: TreeId,
    /// The candidate commit that holds the tree.
    pub commit: CommitId,
    /// What it objects to. Nothing means: passed.
    pub findings: Vec<Finding>,
    /// How long the gate took, in milliseconds.
    pub took_ms: u64,
    /// What the verdict is bound to beside its tree.
    pub bound: Option<Bound>,
}

/// The verdict did not come from this runtime, or was changed since.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the verdict of gate `{gate}` on tree {tree} does not carry the runtime's signature")]
pub struct NotGenuine {
    /// Which gate it claims.
    pub gate: String,
    /// Which tree it claims.
    pub tree: TreeId,
}

/// Signs a judgement. It passed when, and only when, nothing that was found fails it.
#[must_use]
pub fn sign(keys: &SigningKeys, judgement: Judgement) -> Verdict {
    let outcome = if !judgement.findings.iter().any(|finding| finding.weight.fails()) {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    let total = judgement.findings.len();
    let findings = bounded(judgement.findings);
    let mut verdict = Verdict {
        gate: judgement.gate,
        tree: judgement.tree,
        commit: judgement.commit,
        outcome,
        more_findings: total - findings.len(),
        findings,
        took_ms: judgement.took_ms,
        bound: judgement.bound.map(Box::new),
        signature: String::new(),
    };
    verdict.signature = URL_SAFE_NO_PAD.encode(keys.sign(&message(&verdict)));
    verdict
}

/// Checks that the runtime made this verdict, exactly as it stands.
///
/// # Errors
/// [`NotGenuine`] when anything was changed, or another key signed it.
pub fn verify(verdict: &Verdict, key: &PublicKey) -> Result<(), NotGenuine> {
    let genuine = URL_SAFE_NO_PAD
        .decode(&verdict.signature)
        .is_ok_and(|signature| key.verifies(&message(verdict), &signature));
    if genuine {
        Ok(())
    } else {
        Err(NotGenuine {
            gate: verdict.gate.clone(),
            tree: verdict.tree.clone(),
        })
    }
}

/// The rule, and that the finding does not count when it does not. No rule has a zero byte.
fn rule(finding: &Finding) -> String {
    match finding.weight {
        Weight::Error => finding.rule.replace('\0', ""),
        Weight::Warning => format!("{}\0warning", finding.rule.replace('\0', "")),
        Weight::Waived => format!("{}\0waived", finding.rule.replace('\0', "")),
    }
}

fn message(verdict: &Verdict) -> Message {
    let outcome: &[u8] = match verdict.outcome {
        Outcome::Passed => b"passed",
        Outcome::Failed => b"failed",
    };
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let measured = verdict.findings.iter().any(Finding::is_measured);
    let head = head(verdict.bound.as_deref(), measured)
        .bytes(verdict.gate.as_bytes())
        .bytes(verdict.tree.as_str().as_bytes())
        .bytes(verdict.commit.as_str().as_bytes())
        .bytes(outcome)
        .number(count(verdict.findings.len()));
    verdict
        .findings
        .iter()
        .fold(head, |message, finding| {
            let line = finding.line.map(|line| line.to_string());
            let message = message
                .bytes(rule(finding).as_bytes())
                .optional(finding.file.as_deref().map(str::as_bytes))
                .optional(line.as_deref().map(str::as_bytes))
                .bytes(finding.message.as_bytes())
                .optional(finding.hint.as_deref().map(str::as_bytes));
            if measured {
                measures(message, finding)
            } else {
                message
            }
        })
        .number(count(verdict.more_findings))
        .number(verdict.took_ms)
}

fn measures(message: Message, finding: &Finding) -> Message {
    let measured = finding.measured.map(|measure| measure.to_string());
    let limit = finding.limit.map(|measure| measure.to_string());
    message
        .optional(finding.function.as_deref().map(str::as_bytes))
        .optional(measured.as_deref().map(str::as_bytes))
        .optional(limit.as_deref().map(str::as_bytes))
}

/// How the message begins: a verdict of the first version says nothing of what it is bound to.
fn head(bound: Option<&Bound>, measured: bool) -> Message {
    match (bound, measured) {
        (None, false) => Message::of(DOMAIN),
        (Some(bound), false) => bound_to(Message::of(BOUND), bound),
        (None, true) => Message::of(MEASURED).number(0),
        (Some(bound), true) => bound_to(Message::of(MEASURED).number(1), bound),
    }
}

fn bound_to(message: Message, bound: &Bound) -> Message {
    let tools = u64::try_from(bound.tools.len()).unwrap_or(u64::MAX);
    let head = message
        .bytes(bound.task.as_uuid().as_bytes())
        .number(bound.epoch)
        .number(u64::from(bound.attempt))
        .bytes(bound.base.as_str().as_bytes())
        .bytes(bound.config.as_bytes())
        .bytes(bound.evidence.as_bytes())
        .number(tools);
    let tool = |message: Message, (name, version): (&String, &String)| {
        message.bytes(name.as_bytes()).bytes(version.as_bytes())
    };
    bound.tools.iter().fold(head, tool)
}

/// What a gate was told to look for: what the plan says of the work, and the gate's own `settings`
/// in words. Another digest is another question, so a verdict on the one says nothing of the other.
#[must_use]
pub fn config_digest(spec: &TaskSpec, gate: &str, settings: &str) -> String {
    let may_create = serde_json::to_vec(&spec.may_create).unwrap_or_default();
    let lists = [&spec.files, &spec.may_delete, &spec.deliverables];
    let head = Message::of("worknode gate config v1")
        .bytes(gate.as_bytes())
        .bytes(settings.as_bytes())
        .bytes(&may_create);
    digest(&lists.into_iter().fold(head, |message, list| {
        let count = u64::try_from(list.len()).unwrap_or(u64::MAX);
        let each = |message: Message, text: &String| message.bytes(text.as_bytes());
        list.iter().fold(message.number(count), each)
    }))
}

/// The findings that fit, the first ones first. The first always does.
fn bounded(mut findings: Vec<Finding>) -> Vec<Finding> {
    // What does not fit is never what fails.
    findings.sort_by_key(|finding| !finding.weight.fails());
    let mut room = FINDINGS_BYTES;
    findings
        .into_iter()
        .take(bounds::FINDINGS)
        .map(|finding| Finding {
            rule: text::clipped(&finding.rule, 200),
            file: finding.file.map(|file| text::clipped(&file, 4096)),
            line: finding.line,
            function: finding.function.map(|name| text::clipped(&name, 4096)),
            measured: finding.measured,
            limit: finding.limit,
            message: text::clipped(&finding.message, TEXT_BYTES),
            hint: finding.hint.map(|hint| text::clipped(&hint, 4096)),
            weight: finding.weight,
        })
        .enumerate()
        .take_while(|(i, finding)| {
            let size = serde_json::to_vec(finding).map_or(usize::MAX, |json| json.len() + 1);
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits || *i == 0
        })
        .map(|(_, finding)| finding)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use worknode_core::verdict::Measure;

    use super::*;
    use crate::testing::{commit, keys, node, spec, tree};

    fn judgement(findings: Vec<Finding>) -> Judgement {
        Judgement {
            gate: "plan".into(),
            tree: tree(1),
            commit: commit(2),
            findings,
            took_ms: 12,
            bound: Some(bound()),
        }
    }

    fn bound() -> Bound {
        Bound {
            task: node(1),
            epoch: 3,
            attempt: 2,
            base: commit(1),
            config: "sha256:1".into(),
            tools: [("git".to_owned(), "2.50".to_owned())].into(),
            evidence: "sha256:2".into(),
        }
    }

    fn finding() -> Finding {
        Finding {
            line: Some(7),
            ..Finding::new("plan.outside", "no")
                .in_file("a.rs")
                .hint("restore it")
        }
    }

    fn measured() -> Finding {
        Finding {
            function: Some("f".into()),
            measured: Some(Measure::Count(9)),
            limit: Some(Measure::Count(8)),
            ..Finding::new("complexity.cyclomatic", "too many ways")
        }
    }

    #[test]
    fn a_genuine_verdict_verifies_and_survives_storage() {
        let key = keys().public();
        let share = Finding {
            measured: Some(Measure::percent(93.333_333)),
            ..measured()
        };
        for findings in [vec![], vec![finding()], vec![finding(), measured(), share]] {
            let verdict = sign(&keys(), judgement(findings));
            let stored = serde_json::to_string(&verdict).unwrap();
            verify(&serde_json::from_str(&stored).unwrap(), &key).unwrap();
        }
    }

    #[test]
    fn p3_a_verdict_with_findings_has_not_passed() {
        assert_eq!(sign(&keys(), judgement(vec![])).outcome, Outcome::Passed);
        assert_eq!(sign(&keys(), judgement(vec![finding()])).outcome, Outcome::Failed);
        let only_told = Finding {
            weight: Weight::Warning,
            ..finding()
        };
        assert_eq!(
            sign(&keys(), judgement(vec![only_told.clone()])).outcome,
            Outcome::Passed
        );
        assert_eq!(
            sign(&keys(), judgement(vec![only_told, finding()])).outcome,
            Outcome::Failed
        );
    }

    #[test]
    fn p3_another_key_s_verdict_does_not_verify() {
        let forged = sign(&SigningKeys::from_seed([9; 32]), judgement(vec![]));
        assert!(verify(&forged, &keys().public()).is_err());
    }

    #[test]
    fn p3_no_field_can_be_changed() {
        let good = sign(&keys(), judgement(vec![finding(), measured()]));
        fn of(v: &mut Verdict) -> &mut Bound {
            v.bound.as_mut().unwrap()
        }
        let changes: [fn(&mut Verdict); 29] = [
            |v| v.findings[1].function = None,
            |v| v.findings[1].function = Some("other".into()),
            |v| v.findings[1].measured = Some(Measure::Count(1)),
            |v| v.findings[1].limit = Some(Measure::Percent(800)),
            |v| v.findings[0].limit = Some(Measure::Count(8)),
            |v| v.findings.swap(0, 1),
            |v| v.bound = None,
            |v| of(v).task = node(2),
            |v| of(v).epoch = 4,
            |v| of(v).attempt = 3,
            |v| of(v).base = commit(9),
            |v| of(v).config.push('x'),
            |v| of(v).evidence.push('x'),
            |v| of(v).tools.clear(),
            |v| drop(of(v).tools.insert("git".into(), "3".into())),
            |v| v.gate = "tests".into(),
            |v| v.tree = tree(3),
            |v| v.commit = commit(3),
            |v| v.outcome = Outcome::Passed,
            |v| v.findings.clear(),
            |v| v.findings[1].rule.push('x'),
            |v| v.findings[0].file = None,
            |v| v.findings[0].line = None,
            |v| v.findings[0].line = Some(70),
            |v| v.findings[1].message.push('x'),
            |v| v.findings[0].hint = None,
            |v| v.more_findings = 1,
            |v| v.took_ms = 13,
            |v| v.signature.clear(),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(verify(&bad, &keys().public()).is_err(), "change {i}");
        }
    }

    #[test]
    fn p3_a_verdict_of_the_first_version_still_verifies() {
        let old = Judgement {
            bound: None,
            ..judgement(vec![finding()])
        };
        verify(&sign(&keys(), old), &keys().public()).unwrap();
    }

    /// As the programs before this one signed it: no finding had measures.
    #[test]
    fn p3_what_was_signed_before_findings_had_measures_still_verifies() {
        let stored = include_str!("verdict/stored-v2.json");
        let old: Verdict = serde_json::from_str(stored).unwrap();
        assert!(old.bound.is_some() && !old.findings.is_empty());
        verify(&old, &keys().public()).unwrap();
    }

    #[test]
    fn p3_measures_cannot_be_taken_away_with_their_version() {
        let bare = |mut verdict: Verdict| {
            for finding in &mut verdict.findings {
                (finding.function, finding.measured, finding.limit) = (None, None, None);
            }
            verdict
        };
        let good = sign(&keys(), judgement(vec![measured()]));
        verify(&good, &keys().public()).unwrap();
        assert!(verify(&bare(good), &keys().public()).is_err());
        let unbound = Judgement {
            bound: None,
            ..judgement(vec![measured()])
        };
        let good = sign(&keys(), unbound);
        verify(&good, &keys().public()).unwrap();
        assert!(verify(&bare(good), &keys().public()).is_err());
    }

    #[test]
    fn another_question_has_another_digest() {
        let of = |change: fn(&mut TaskSpec)| {
            let mut spec = spec("t");
            change(&mut spec);
            config_digest(&spec, "plan", "x")
        };
        let same = of(|_| {});
        assert_eq!(same, of(|spec| spec.title = "another title".into()));
        for change in [
            (|spec| spec.files.push("b".into())) as fn(&mut TaskSpec),
            |spec| spec.may_delete.push("src/**".into()),
            |spec| spec.deliverables.push("src/**".into()),
            |spec| spec.may_create = Some(vec![]),
            |spec| spec.files = vec![],
        ] {
            assert_ne!(same, of(change));
        }
        assert_ne!(same, config_digest(&spec("t"), "tests", "x"));
        assert_ne!(same, config_digest(&spec("t"), "plan", "y"));
    }

    #[test]
    fn p8_findings_are_capped_and_the_rest_is_counted() {
        let many = sign(&keys(), judgement(vec![finding(); 250]));
        assert_eq!((many.findings.len(), many.more_findings), (bounds::FINDINGS, 150));
        let huge = Finding::new("tests.failed", "\"".repeat(1_000_000));
        let verdict = sign(&keys(), judgement(vec![huge; 50]));
        assert!(!verdict.findings.is_empty());
        assert_eq!(verdict.findings.len() + verdict.more_findings, 50);
        assert!(serde_json::to_vec(&verdict).unwrap().len() < bounds::EVENT_PAYLOAD);
        verify(&verdict, &keys().public()).unwrap();
    }

    proptest! {
        #[test]
        fn p3_a_stored_verdict_with_one_bit_flipped_never_verifies(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let good = sign(&keys(), judgement(vec![finding(), measured()]));
            let mut stored = serde_json::to_vec(&good).unwrap();
            let at = at.index(stored.len());
            stored[at] ^= 1 << bit;
            if let Ok(changed) = serde_json::from_slice::<Verdict>(&stored) {
                prop_assert!(verify(&changed, &keys().public()).is_err() || changed == good);
            }
        }
    }
}
