//! Every combination of candidate, verdicts, approval and landing.

use worknode_core::{
    agent::Tier,
    ids::RunId,
    task::{Approved, Claim, Submission, TaskCommand, decide},
    time::Timestamp,
};

use super::*;
use crate::{
    signing::SigningKeys,
    testing::{agent, commit, keys, node, spec, tree},
    verdict::{Judgement, sign},
};

const SUBMITTER: u8 = 5;
const NOW: u8 = 50;

/// What is known of one gate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Nothing,
    Passed,
    Failed,
    PassedOnAnotherTree,
    Forged,
}

const KNOWN: [Known; 5] = [
    Known::Nothing,
    Known::Passed,
    Known::Failed,
    Known::PassedOnAnotherTree,
    Known::Forged,
];

fn landing(base: u8) -> Landing {
    Landing {
        tree: tree(1),
        commit: commit(2),
        base: commit(base),
    }
}

fn verdict_of(gate: &str, known: Known) -> Option<Verdict> {
    let (signer, on, findings) = match known {
        Known::Nothing => return None,
        Known::Passed => (keys(), 1, vec![]),
        Known::Failed => (keys(), 1, vec![Finding::new(format!("{gate}.no"), "no")]),
        Known::PassedOnAnotherTree => (keys(), 9, vec![]),
        Known::Forged => (SigningKeys::from_seed([66; 32]), 1, vec![]),
    };
    let judgement = Judgement {
        gate: gate.to_owned(),
        tree: tree(on),
        commit: commit(2),
        findings,
        took_ms: 1,
        bound: None,
    };
    Some(sign(&signer, judgement))
}

fn in_review(
    approval: Approval,
    plan: Known,
    tests: Known,
    approved_by: Option<Principal>,
    requested: bool,
    landing: Option<Landing>,
) -> Task {
    let verdicts: BTreeMap<String, Verdict> = [("plan", plan), ("tests", tests)]
        .into_iter()
        .filter_map(|(gate, known)| Some((gate.to_owned(), verdict_of(gate, known)?)))
        .collect();
    let mut task = Task::new(TaskSpec {
        approval,
        ..spec("t")
    });
    task.status = TaskStatus::InReview(Box::new(Review {
        submission: Submission {
            commit: commit(3),
            epoch: 1,
            agent: node(SUBMITTER),
            run: Some(RunId::from_parts(1, [1; 10])),
        },
        verdicts,
        candidate: requested.then(|| commit(77)),
        approvals: approved_by.into_iter().map(word).collect(),
        landing,
    }));
    task
}

fn word(by: Principal) -> Approved {
    Approved {
        by,
        shown: String::new(),
        until: None,
    }
}

fn approvers() -> Vec<Option<Principal>> {
    vec![
        None,
        Some(Principal::Operator),
        Some(Principal::Runtime),
        Some(agent(8, Tier::Validation)),
        Some(agent(8, Tier::Implementation)),
        Some(agent(SUBMITTER, Tier::Validation)),
    ]
}

fn step(task: &Task, candidate: &Candidate) -> Step {
    next_step(task, candidate, &commit(NOW), &keys().public())
}

/// Is this approval enough, said again in the plainest words?
fn enough(approval: Approval, by: Option<&Principal>) -> bool {
    match (approval, by) {
        (Approval::None, _) | (_, Some(Principal::Operator)) => true,
        (Approval::Validation, Some(by)) => *by == agent(8, Tier::Validation),
        _ => false,
    }
}

#[test]
fn p3_it_lands_only_with_genuine_verdicts_on_this_tree_and_every_approval() {
    let mut landed = 0;
    for approval in [Approval::None, Approval::Validation, Approval::Operator] {
        for plan in KNOWN {
            for tests in KNOWN {
                for by in approvers() {
                    for requested in [false, true] {
                        let task = in_review(approval, plan, tests, by.clone(), requested, None);
                        let step = step(&task, &Candidate::Made(landing(NOW)));
                        let may =
                            plan == Known::Passed && tests == Known::Passed && enough(approval, by.as_ref());
                        let case = format!("{approval:?} {plan:?} {tests:?} {by:?} {requested} {step:?}");
                        assert_eq!(matches!(step, Step::Land(_)), may, "{case}");
                        if let Step::Land(landing) = step {
                            landed += 1;
                            let begin = TaskCommand::BeginLanding { landing };
                            let decision = decide(&task, &begin, &Principal::Runtime, Timestamp::default());
                            assert!(decision.unwrap().permit.is_some(), "{case}");
                        }
                    }
                }
            }
        }
    }
    assert!(landed > 0);
}

#[test]
fn p3_gates_that_did_not_decide_on_this_tree_are_run() {
    for (plan, tests, expected) in [
        (Known::Nothing, Known::Nothing, &["plan", "tests"][..]),
        (Known::Passed, Known::PassedOnAnotherTree, &["tests"]),
        (Known::Forged, Known::Passed, &["plan"]),
        (Known::Nothing, Known::Failed, &["plan"]),
    ] {
        let task = in_review(Approval::None, plan, tests, None, false, None);
        let expected = expected.iter().map(|gate| (*gate).to_owned()).collect();
        assert_eq!(
            step(&task, &Candidate::Made(landing(NOW))),
            Step::RunGates(expected)
        );
    }
}

#[test]
fn an_agent_hears_all_objections_at_once_but_nothing_outside_the_plan_is_run() {
    let rules = |plan, tests| {
        let task = in_review(Approval::None, plan, tests, None, false, None);
        match step(&task, &Candidate::Made(landing(NOW))) {
            Step::Reject(findings) => findings.into_iter().map(|f| f.rule).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rules(Known::Failed, Known::Failed), ["plan.no", "tests.no"]);
    assert_eq!(rules(Known::Failed, Known::Nothing), ["plan.no"]);
    assert_eq!(rules(Known::Passed, Known::Failed), ["tests.no"]);
}

#[test]
fn a_base_that_moved_asks_for_another_candidate() {
    let task = in_review(Approval::None, Known::Passed, Known::Passed, None, false, None);
    assert_eq!(step(&task, &Candidate::Unmade), Step::MakeCandidate);
    assert_eq!(
        step(&task, &Candidate::Made(landing(NOW - 1))),
        Step::MakeCandidate
    );
}

#[test]
fn a_conflict_is_a_rejection_that_says_something() {
    let task = in_review(Approval::None, Known::Passed, Known::Passed, None, false, None);
    let told = vec![Finding::new("merge.conflict", "both changed it")];
    assert_eq!(
        step(&task, &Candidate::Conflict(told.clone())),
        Step::Reject(told)
    );
    assert!(matches!(step(&task, &Candidate::Conflict(vec![])), Step::Reject(f) if f.len() == 1));
}

#[test]
fn review_is_asked_for_once_and_then_awaited() {
    let ask = |approval, requested| {
        let task = in_review(approval, Known::Passed, Known::Passed, None, requested, None);
        step(&task, &Candidate::Made(landing(NOW)))
    };
    assert_eq!(ask(Approval::Validation, false), Step::RequestReview(commit(2)));
    assert_eq!(
        ask(Approval::Validation, true),
        Step::AwaitReview(Reviewer::Validation)
    );
    assert_eq!(
        ask(Approval::Operator, true),
        Step::AwaitReview(Reviewer::Operator)
    );
}

#[test]
fn p3_only_who_lands_by_the_word_of_gates_shares_a_first_judgement() {
    let shares = |approval, by: Option<Principal>, landing| {
        let task = in_review(approval, Known::Nothing, Known::Nothing, by, false, landing);
        may_share_judgement(&task)
    };
    assert!(shares(Approval::None, None, None));
    assert!(
        !shares(Approval::None, None, Some(landing(7))),
        "it lands already"
    );
    assert!(shares(Approval::Operator, Some(Principal::Operator), None));
    assert!(shares(
        Approval::Validation,
        Some(agent(8, Tier::Validation)),
        None
    ));
    assert!(!shares(
        Approval::Validation,
        Some(agent(SUBMITTER, Tier::Validation)),
        None
    ));
    for approval in [Approval::Validation, Approval::Operator, Approval::Quorum(2)] {
        assert!(!shares(approval, None, None));
    }
    assert!(!may_share_judgement(&Task::new(spec("t"))));
}

#[test]
fn p3_p5_a_landing_without_outcome_is_settled_before_anything_else() {
    let begun = Some(landing(7));
    let task = in_review(Approval::None, Known::Nothing, Known::Failed, None, false, begun);
    for candidate in [
        Candidate::Unmade,
        Candidate::Conflict(vec![]),
        Candidate::Made(landing(NOW)),
    ] {
        assert_eq!(step(&task, &candidate), Step::Settle(landing(7)));
    }
}

#[test]
fn outside_review_there_is_nothing_to_do() {
    let claim = Claim {
        agent: node(1),
        run: Some(RunId::from_parts(1, [1; 10])),
        epoch: 1,
        lease_until: Timestamp::default(),
    };
    let reason = String::new;
    for status in [
        TaskStatus::Pending,
        TaskStatus::Ready,
        TaskStatus::Claimed(claim.clone()),
        TaskStatus::InProgress(claim),
        TaskStatus::Completed {
            tree: tree(1),
            commit: commit(1),
            base: commit(0),
        },
        TaskStatus::Blocked { reason: reason() },
        TaskStatus::Failed { reason: reason() },
        TaskStatus::Cancelled { reason: reason() },
    ] {
        let mut task = Task::new(spec("t"));
        task.status = status;
        assert_eq!(step(&task, &Candidate::Made(landing(NOW))), Step::Nothing);
    }
}

/// What is known of the world, for the tests of what counts.
fn counted(task: &Task, at: u64) -> Review {
    let of = |gate: &str| (gate.to_owned(), verdict::config_digest(&task.spec, gate, ""));
    let config = ["plan", "tests"].map(of).into();
    let now = Now {
        node: node(1),
        time: Timestamp::from_millis(at),
        config: &config,
    };
    match what_counts(task, &now).status {
        TaskStatus::InReview(review) => *review,
        other => panic!("{other:?}"),
    }
}

fn bound_task(change: impl Fn(&mut Bound)) -> Task {
    let mut task = in_review(
        Approval::Validation,
        Known::Nothing,
        Known::Nothing,
        None,
        true,
        None,
    );
    let mut bound = Bound {
        task: node(1),
        epoch: 1,
        attempt: 1,
        base: commit(NOW),
        config: verdict::config_digest(&task.spec, "plan", ""),
        tools: BTreeMap::new(),
        evidence: String::new(),
    };
    change(&mut bound);
    let judgement = Judgement {
        gate: "plan".to_owned(),
        tree: tree(1),
        commit: commit(2),
        findings: vec![],
        took_ms: 1,
        bound: Some(bound),
    };
    if let TaskStatus::InReview(review) = &mut task.status {
        review
            .verdicts
            .insert("plan".to_owned(), sign(&keys(), judgement));
    }
    task
}

#[test]
fn p3_a_verdict_for_another_task_claim_or_configuration_counts_for_nothing() {
    let counts = |change: fn(&mut Bound)| counted(&bound_task(change), 0).verdicts.len();
    assert_eq!(counts(|_| {}), 1);
    assert_eq!(counts(|bound| bound.task = node(2)), 0);
    assert_eq!(counts(|bound| bound.epoch = 2), 0);
    assert_eq!(counts(|bound| bound.config.clear()), 0);
    let unbound = in_review(Approval::None, Known::Passed, Known::Passed, None, false, None);
    assert_eq!(
        counted(&unbound, 0).verdicts.len(),
        0,
        "one that is bound to nothing"
    );
}

#[test]
fn p3_an_approval_counts_for_what_was_shown_and_for_a_while() {
    let with = |shown: &str, until: Option<u64>| {
        let mut task = bound_task(|_| {});
        if let TaskStatus::InReview(review) = &mut task.status {
            review.approvals.push(Approved {
                by: Principal::Operator,
                shown: shown.to_owned(),
                until: until.map(Timestamp::from_millis),
            });
        }
        task
    };
    let right = shown(&spec("t"), &commit(3));
    assert_eq!(counted(&with(&right, Some(10)), 9).approvals.len(), 1);
    assert_eq!(counted(&with(&right, Some(10)), 10).approvals.len(), 0, "too old");
    assert_eq!(
        counted(&with("sha256:0", None), 9).approvals.len(),
        0,
        "something else"
    );
    let other_plan = TaskSpec {
        files: vec!["**".into()],
        ..spec("t")
    };
    assert_ne!(right, shown(&other_plan, &commit(3)), "another plan");
    assert_ne!(right, shown(&spec("t"), &commit(4)), "another submission");
    let old = with(&right, Some(10));
    assert_eq!(expired(&old, Timestamp::from_millis(9)), None);
    assert_eq!(
        expired(&old, Timestamp::from_millis(10)),
        Some(Principal::Operator)
    );
}

#[test]
fn p3_a_quorum_is_of_distinct_others() {
    let lands = |words: Vec<Principal>| {
        let mut task = in_review(
            Approval::Quorum(2),
            Known::Passed,
            Known::Passed,
            None,
            true,
            None,
        );
        for by in words {
            let event = worknode_core::event::Event::TaskApproved {
                by,
                commit: commit(3),
                note: String::new(),
                shown: String::new(),
                until: None,
            };
            task = task.apply(&event).unwrap();
        }
        let step = step(&task, &Candidate::Made(landing(NOW)));
        assert!(matches!(
            step,
            Step::Land(_) | Step::AwaitReview(Reviewer::Quorum)
        ));
        matches!(step, Step::Land(_))
    };
    let validator = |n| agent(n, Tier::Validation);
    assert!(lands(vec![Principal::Operator, validator(8)]));
    assert!(lands(vec![validator(9), validator(8)]));
    assert!(!lands(vec![]));
    assert!(!lands(vec![validator(8), validator(8)]), "the same twice");
    assert!(!lands(vec![Principal::Operator, Principal::Operator]));
    assert!(!lands(vec![validator(8), validator(SUBMITTER)]), "the author");
    assert!(!lands(vec![validator(8), agent(9, Tier::Implementation)]));
    let person = |n| Principal::Outside {
        node: node(n),
        name: format!("person {n}"),
    };
    assert!(lands(vec![person(10), person(11)]), "people count");
    assert!(lands(vec![person(10), validator(8)]));
    assert!(!lands(vec![person(10), person(10)]), "each once");
    assert!(!lands(vec![person(SUBMITTER), validator(8)]), "never the author");
    let again = match validator(8) {
        Principal::Agent { node, name, tier, .. } => Principal::Agent {
            node,
            name,
            tier,
            run: RunId::from_parts(2, [2; 10]),
        },
        other => other,
    };
    assert!(!lands(vec![validator(8), again]), "the same in another run");
}
