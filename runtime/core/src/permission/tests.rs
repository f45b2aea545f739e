use proptest::prelude::*;

use super::*;
use crate::{
    agent::Tier,
    ids::{NodeId, RunId},
    run::{Ending, ProcessIdentity, Purpose, Receipt, RunLimits, RunSpec, StopCause},
};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn id() -> RunId {
    RunId::from_parts(1, [1; 10])
}

fn running() -> Run {
    let run = Run::queued(RunSpec {
        id: id(),
        purpose: Purpose::Standing,
        limits: RunLimits::default(),
        raised: Vec::new(),
    });
    let process = ProcessIdentity {
        pid: 1,
        start_time: 1,
        boot_id: "boot".into(),
    };
    let events = [
        Event::RunStarting { run: id() },
        Event::RunStarted { run: id(), process },
    ];
    events
        .iter()
        .fold(run, |run, event| run.apply(event, at(0)).unwrap())
}

fn request(name: &str) -> Request {
    Request {
        id: name.to_owned(),
        tool: "Bash".to_owned(),
        what: "make".to_owned(),
        digest: format!("digest of {name}"),
        expires: at(60),
    }
}

fn word(name: &str, allow: bool) -> Word {
    Word {
        request: name.to_owned(),
        allow,
        reason: String::new(),
        shown: format!("digest of {name}"),
        through: None,
    }
}

fn asked(run: &Run, name: &str) -> Run {
    let event = ask(run, &request(name)).unwrap().unwrap();
    run.apply(&event, at(1)).unwrap()
}

#[test]
fn a_request_is_answered_once_by_who_saw_it() {
    let run = asked(&running(), "a");
    let by = &Principal::Operator;
    let code = |run: &Run, word: &Word, by: &Principal, now| answer(run, word, by, at(now)).unwrap_err().code;
    let other = Word {
        shown: "digest of b".into(),
        ..word("a", true)
    };
    assert_eq!(code(&run, &other, by, 2), Code::Changed);
    assert_eq!(code(&run, &word("b", true), by, 2), Code::NotFound);
    assert_eq!(code(&run, &word("a", true), by, 60), Code::IllegalTransition);
    let agent = Principal::Agent {
        node: NodeId::ROOT,
        name: "coder".into(),
        run: id(),
        tier: Tier::Executive,
    };
    for nobody in [agent, Principal::Runtime] {
        assert_eq!(code(&run, &word("a", true), &nobody, 2), Code::Forbidden);
    }
    let event = answer(&run, &word("a", false), by, at(2)).unwrap();
    let after = run.apply(&event, at(2)).unwrap();
    assert_eq!(after.permissions.answered("a").unwrap().answer, Answer::Denied);
    assert_eq!(code(&after, &word("a", true), by, 2), Code::Held);
    assert!(after.apply(&event, at(3)).is_err(), "twice is illegal");
    assert_eq!(ask(&after, &request("a")), Ok(None), "it is not asked again");
}

#[test]
fn p8_a_request_ends_in_time_and_with_its_run() {
    let run = asked(&running(), "a");
    let ends = |withdrawn, now| end(&run, "a", withdrawn, &Principal::Runtime, at(now));
    assert_eq!(ends(false, 59), None);
    for (withdrawn, now, expected) in [(false, 60, Answer::Expired), (true, 2, Answer::Withdrawn)] {
        let after = run.apply(&ends(withdrawn, now).unwrap(), at(now)).unwrap();
        assert_eq!(after.permissions.answered("a").unwrap().answer, expected);
    }
    let stopping = Event::RunStopping {
        run: id(),
        cause: StopCause::TimeLimit,
    };
    let exited = Event::RunExited {
        run: id(),
        receipt: Box::new(Receipt::new(Ending::Code { code: 0 }, at(3))),
    };
    for over in [stopping, exited] {
        let after = run.apply(&over, at(3)).unwrap();
        assert_eq!(after.permissions.open, []);
        let late = answer(&after, &word("a", true), &Principal::Operator, at(4));
        assert_eq!(late.unwrap_err().code, Code::NotFound);
        assert!(ask(&after, &request("b")).is_err());
    }
}

#[test]
fn p8_so_many_wait_and_each_is_short_enough_to_be_read() {
    let full = (0..bounds::PERMISSIONS).fold(running(), |run, n| asked(&run, &n.to_string()));
    assert_eq!(ask(&full, &request("more")).unwrap_err().code, Code::LimitReached);
    let long = Request {
        what: "x".repeat(bounds::PERMISSION + 1),
        ..request("long")
    };
    assert_eq!(ask(&running(), &long).unwrap_err().code, Code::LimitReached);
}

proptest! {
    /// Whatever is asked, answered and awaited in whatever order: each request has at most one end, and
    /// what is decided can be replayed.
    #[test]
    fn every_history_is_legal_and_bounded(steps in proptest::collection::vec((0_u8..4, 0_u8..40), 0..200)) {
        let mut run = running();
        let mut ended = std::collections::BTreeSet::new();
        for (now, (step, name)) in (0_u64..).zip(steps) {
            let name = name.to_string();
            let asked = Request { expires: at(now + 20), ..request(&name) };
            let event = match step {
                0 => ask(&run, &asked).unwrap_or(None),
                1 => answer(&run, &word(&name, true), &Principal::Operator, at(now)).ok(),
                2 => end(&run, &name, false, &Principal::Runtime, at(now)),
                _ => end(&run, &name, true, &Principal::Runtime, at(now)),
            };
            let Some(event) = event else { continue };
            if let Event::PermissionRequested { request, .. } = &event {
                // Long after its end the same name may be another request.
                ended.remove(&request.id);
            } else {
                prop_assert!(ended.insert(name), "two ends");
            }
            run = run.apply(&event, at(now)).unwrap();
            prop_assert!(run.permissions.open.len() <= bounds::PERMISSIONS);
            prop_assert!(run.permissions.answered.len() <= bounds::PERMISSIONS);
        }
    }
}
