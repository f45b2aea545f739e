//! What is accepted, what is refused, and that a refusal changes nothing.

use worknode_core::{
    bounds,
    error::{Code, Error},
    event::{Draft, Event},
    ids::NodeId,
    node::{Detail, Kind},
    task::Progress,
    time::Timestamp,
};

use super::support::{MORNING, Store, agent, child, draft, emitted, node, queued, run_id, task};
use crate::{AppendError, Durability};

fn code(error: AppendError) -> Code {
    Error::from(error).code
}

async fn refused(store: &Store, drafts: Vec<Draft>) -> Code {
    let before = store.journal.reader().last_stamp().unwrap();
    let code = code(store.append(drafts).await.unwrap_err());
    assert_eq!(
        store.journal.reader().last_stamp().unwrap(),
        before,
        "a refusal stores nothing"
    );
    code
}

#[tokio::test]
async fn an_illegal_event_refuses_its_whole_request_and_no_other() {
    let store = Store::new().await;
    store
        .append(vec![task(node(1), "a"), task(node(2), "b")])
        .await
        .unwrap();
    // In one group: both go into the queue before the writer can answer either.
    let (bad, good) = tokio::join!(
        store.append(vec![
            draft(node(1), Event::TaskReady),
            emitted(node(1), 1),
            draft(node(1), Event::TaskStarted { epoch: 1 }),
        ]),
        store.append(vec![draft(node(2), Event::TaskReady)]),
    );
    assert_eq!(code(bad.unwrap_err()), Code::IllegalTransition);
    good.unwrap();
    let reader = store.journal.reader();
    assert_eq!(reader.node(node(1)).unwrap().unwrap().status(), "pending");
    assert_eq!(reader.node(node(2)).unwrap().unwrap().status(), "ready");
    assert_eq!(store.assert_sound().await.events, 4);
    store
        .append(vec![draft(node(1), Event::TaskReady)])
        .await
        .unwrap();
}

#[tokio::test]
async fn p6_worknodes_names_and_runs_begin_once() {
    let mut store = Store::new().await;
    store
        .append(vec![
            task(node(1), "a"),
            agent(node(2), "coder"),
            agent(node(3), "tester"),
        ])
        .await
        .unwrap();
    store
        .append(vec![draft(node(2), queued(run_id(1)))])
        .await
        .unwrap();
    for round in 0..2 {
        assert_eq!(
            refused(&store, vec![task(node(1), "other")]).await,
            Code::AlreadyExists
        );
        assert_eq!(
            refused(&store, vec![task(node(8), "a")]).await,
            Code::AlreadyExists
        );
        assert_eq!(
            refused(&store, vec![task(node(8), "c"), task(node(9), "c")]).await,
            Code::AlreadyExists
        );
        assert_eq!(
            refused(&store, vec![draft(node(3), queued(run_id(1)))]).await,
            Code::AlreadyExists
        );
        // As if the refused ones had never been looked at.
        let id = node(20 + round);
        store.append(vec![task(id, &round.to_string())]).await.unwrap();
        store.assert_sound().await;
        store.reopen().await;
    }
    store.append(vec![agent(node(8), "a")]).await.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let store = Store::new().await;
    assert_eq!(refused(&store, vec![emitted(node(1), 1)]).await, Code::NotFound);
    assert_eq!(
        refused(&store, vec![child(node(1), node(2), Kind::Task, "a")]).await,
        Code::NotFound
    );
    let acted = Event::TriggerActed {
        trigger: "daily".into(),
        occurrence: "1".into(),
        outcome: "done".into(),
        failed: false,
        started: None,
    };
    assert_eq!(
        refused(&store, vec![draft(NodeId::ROOT, acted)]).await,
        Code::NotFound
    );
}

#[tokio::test]
async fn a_worknode_must_have_its_shape_and_place() {
    let store = Store::new().await;
    let mut orphan = task(node(1), "a");
    let mut hollow = orphan.clone();
    if let Event::NodeCreated { node } = &mut orphan.event {
        node.parent = None;
    }
    if let Event::NodeCreated { node } = &mut hollow.event {
        node.detail = Detail::Plain;
    }
    assert_eq!(refused(&store, vec![orphan]).await, Code::Usage);
    assert_eq!(refused(&store, vec![hollow]).await, Code::Usage);
}

#[tokio::test]
async fn p8_depth_and_children_are_bounded() {
    let mut store = Store::new().await;
    let mut above = NodeId::ROOT;
    for depth in 1..=bounds::DEPTH {
        let id = node(depth as u128);
        store
            .append(vec![child(id, above, Kind::Project, "p")])
            .await
            .unwrap();
        above = id;
    }
    assert_eq!(
        refused(&store, vec![child(node(99), above, Kind::Project, "p")]).await,
        Code::LimitReached
    );

    let children = (1..bounds::CHILDREN)
        .map(|n| child(node(1_000 + n as u128), NodeId::ROOT, Kind::Issue, &n.to_string()));
    store.append(children.collect()).await.unwrap();
    store.reopen().await;
    assert_eq!(
        refused(&store, vec![task(node(99), "one more")]).await,
        Code::LimitReached
    );
    store.assert_sound().await;
}

#[tokio::test]
async fn p8_an_event_is_bounded_and_a_prompt_apart() {
    let store = Store::new().await;
    let speech = |bytes| {
        draft(
            NodeId::ROOT,
            Event::Notified {
                to: "you".into(),
                message: "\"".repeat(bytes / 2),
            },
        )
    };
    store
        .append(vec![speech(bounds::EVENT_PAYLOAD - 500)])
        .await
        .unwrap();
    assert_eq!(
        refused(&store, vec![speech(bounds::EVENT_PAYLOAD)]).await,
        Code::LimitReached
    );

    let mut long = task(node(1), "a");
    if let Event::NodeCreated { node } = &mut long.event
        && let Detail::Task(task) = &mut node.detail
    {
        task.prompt = "\"".repeat(bounds::PROMPT);
    }
    store.append(vec![long.clone()]).await.unwrap();
    let stored = store.journal.reader().node(node(1)).unwrap().unwrap();
    assert_eq!(stored.task().unwrap().spec.prompt.len(), bounds::PROMPT);
    if let Event::NodeCreated { node } = &mut long.event
        && let Detail::Task(task) = &mut node.detail
    {
        task.prompt.push('x');
    }
    assert_eq!(refused(&store, vec![long]).await, Code::LimitReached);
    let many = (0..=crate::limits::DRAFTS)
        .map(|n| emitted(NodeId::ROOT, n))
        .collect();
    assert_eq!(refused(&store, many).await, Code::LimitReached);
}

#[tokio::test]
async fn p6_an_occurrence_fires_once_and_has_one_outcome() {
    let mut store = Store::new().await;
    let fired = |occurrence: &str| {
        draft(
            NodeId::ROOT,
            Event::TriggerFired {
                trigger: "daily".into(),
                occurrence: occurrence.into(),
                due: MORNING,
                by: None,
            },
        )
    };
    let acted = draft(
        NodeId::ROOT,
        Event::TriggerActed {
            trigger: "daily".into(),
            occurrence: "one".into(),
            outcome: "spawned".into(),
            failed: false,
            started: None,
        },
    );
    let skipped = draft(
        NodeId::ROOT,
        Event::TriggerSkipped {
            trigger: "daily".into(),
            occurrence: "two".into(),
            due: MORNING,
            reason: "overlap".into(),
        },
    );
    let (first, second) = tokio::join!(store.append(vec![fired("one")]), store.append(vec![fired("one")]));
    assert_eq!(
        usize::from(first.is_ok()) + usize::from(second.is_ok()),
        1,
        "of two at once, one"
    );
    store.append(vec![skipped.clone()]).await.unwrap();
    let open = store.journal.reader().open_firings(9).unwrap();
    assert_eq!(
        open.iter()
            .map(|f| (f.occurrence.as_str(), f.due))
            .collect::<Vec<_>>(),
        [("one", MORNING)]
    );
    store.reopen().await;
    for again in [fired("one"), fired("two"), skipped] {
        assert_eq!(refused(&store, vec![again]).await, Code::AlreadyExists);
    }
    store.append(vec![acted.clone()]).await.unwrap();
    assert_eq!(refused(&store, vec![acted]).await, Code::AlreadyExists);
    let reader = store.journal.reader();
    assert_eq!(reader.open_firings(9).unwrap(), []);
    let outcomes: Vec<_> = reader
        .firings_of("daily", 9)
        .unwrap()
        .into_iter()
        .map(|f| f.outcome.unwrap())
        .collect();
    assert_eq!(outcomes, ["skipped: overlap", "spawned"]);
    assert_eq!(
        reader.firing("daily", "one").unwrap().unwrap().outcome.as_deref(),
        Some("spawned")
    );
    store.assert_sound().await;
}

#[tokio::test]
async fn p10_the_order_goes_on_after_a_restart_with_an_older_clock() {
    let mut store = Store::new().await;
    let before = store.append(vec![emitted(NodeId::ROOT, 1)]).await.unwrap()[0].at;
    store.clock.set(Timestamp::from_millis(1_000));
    store.reopen().await;
    let after = store.append(vec![emitted(NodeId::ROOT, 2)]).await.unwrap()[0].at;
    assert!(
        after > before && after.origin == before.origin,
        "{before} {after}"
    );
    store.assert_sound().await;
}

#[tokio::test]
async fn a_clock_beyond_every_stamp_is_refused() {
    let store = Store::new().await;
    store.clock.set(Timestamp::MAX);
    assert_eq!(refused(&store, vec![emitted(NodeId::ROOT, 1)]).await, Code::Usage);
    store.clock.set(MORNING);
    store.append(vec![emitted(NodeId::ROOT, 1)]).await.unwrap();
}

#[tokio::test]
async fn local_appends_are_stamped_checked_and_soon_stored() {
    let store = Store::new().await;
    store.append(vec![task(node(1), "a")]).await.unwrap();
    let progressed = Event::TaskProgressed {
        epoch: 1,
        progress: Progress::default(),
    };
    let bad = store
        .journal
        .append(vec![draft(node(1), progressed)], Durability::Local)
        .await;
    assert_eq!(code(bad.unwrap_err()), Code::IllegalTransition);
    let local = store
        .journal
        .append(vec![emitted(node(1), 1)], Durability::Local)
        .await
        .unwrap();
    let durable = store.append(vec![emitted(node(1), 2)]).await.unwrap();
    assert!(local[0].at < durable[0].at);
    // Stored in order: what came before a durable event is there when that one is.
    assert_eq!(
        store.journal.reader().event(local[0].at).unwrap().unwrap(),
        local[0]
    );
}

#[tokio::test]
async fn an_empty_request_is_nothing() {
    let store = Store::new().await;
    let before = store.journal.last_stamp();
    assert_eq!(store.append(Vec::new()).await.unwrap(), []);
    assert_eq!(store.journal.last_stamp(), before);
}
