//! What was stored is found again.

use worknode_core::{
    event::{Draft, Event},
    hlc::Hlc,
    ids::NodeId,
    node::{Kind, Node},
    run::{Ending, Receipt},
};

use super::support::{MORNING, Store, agent, child, draft, emitted, node, queued, run_id, task, task_spec};
use crate::{Back, EventFilter, NodeFilter, RARE};

#[tokio::test]
async fn what_is_appended_is_read_again_also_after_a_restart() {
    let mut store = Store::new().await;
    let drafts = vec![
        task(node(1), "schema"),
        draft(node(1), Event::TaskReady),
        Draft {
            cause: Some(Hlc::ZERO),
            ..emitted(node(1), 7)
        },
    ];
    let records = store.append(drafts.clone()).await.unwrap();
    store.reopen().await;
    let reader = store.journal.reader();
    let stored = reader.events(&EventFilter::default()).unwrap();
    assert_eq!(stored[1..], records);
    for (record, draft) in records.iter().zip(drafts) {
        assert_eq!(
            (record.node, &record.by, record.cause, &record.event),
            (draft.node, &draft.by, draft.cause, &draft.event)
        );
        assert_eq!(reader.event(record.at).unwrap().as_ref(), Some(record));
    }
    let task = reader.node(node(1)).unwrap().unwrap();
    assert_eq!(
        (task.status(), task.created, task.updated),
        ("ready", records[0].at, records[2].at)
    );
    assert_eq!(*task.task().unwrap().spec, task_spec("schema"));
    store.assert_sound().await;
}

#[tokio::test]
async fn worknodes_are_found_by_place_kind_status_and_name() {
    let store = Store::new().await;
    let mut drafts = vec![child(node(50), NodeId::ROOT, Kind::Team, "web")];
    drafts.extend((1..=5_u32).map(|n| child(node(n.into()), node(50), Kind::Task, &format!("t{n}"))));
    drafts.push(draft(node(4), Event::TaskReady));
    drafts.push(task(node(9), "t1"));
    store.append(drafts).await.unwrap();
    let reader = store.journal.reader();
    let ids = |nodes: Vec<Node>| nodes.iter().map(|n| n.id).collect::<Vec<_>>();

    assert_eq!(
        ids(reader.children(node(50), None, 2).unwrap()),
        [node(1), node(2)]
    );
    assert_eq!(
        ids(reader.children(node(50), Some(node(4)), 9).unwrap()),
        [node(5)]
    );
    let ready = NodeFilter {
        kind: Some(Kind::Task),
        status: Some("ready".into()),
        ..NodeFilter::default()
    };
    assert_eq!(ids(reader.nodes(&ready).unwrap()), [node(4)]);
    assert_eq!(
        ids(reader.named(&Kind::Task, "t1", 9).unwrap()),
        [node(1), node(9)]
    );
    assert_eq!(
        reader.child(node(50), &Kind::Task, "t1").unwrap().unwrap().id,
        node(1)
    );
    assert!(reader.child(node(50), &Kind::Agent, "t1").unwrap().is_none());
    let counts = reader.counts().unwrap();
    assert!(
        counts
            .iter()
            .any(|c| (c.kind.clone(), c.status.as_str(), c.nodes) == (Kind::Task, "pending", 5))
    );
}

#[tokio::test]
async fn runs_have_rows_of_their_own() {
    let store = Store::new().await;
    let receipt = Box::new(Receipt::new(Ending::Code { code: 0 }, MORNING));
    let over = Event::RunExited {
        run: run_id(1),
        receipt,
    };
    store.append(vec![agent(node(1), "coder")]).await.unwrap();
    store
        .append(vec![
            draft(node(1), queued(run_id(1))),
            draft(node(1), Event::RunStarting { run: run_id(1) }),
        ])
        .await
        .unwrap();
    let reader = store.journal.reader();
    assert_eq!(reader.live_runs().unwrap().len(), 1);
    store
        .append(vec![draft(node(1), over), draft(node(1), queued(run_id(2)))])
        .await
        .unwrap();
    let runs = reader.runs_of(node(1), 9).unwrap();
    assert_eq!(
        runs.iter()
            .map(|r| (r.run.spec.id, r.run.status.name()))
            .collect::<Vec<_>>(),
        [(run_id(2), "queued"), (run_id(1), "exited")]
    );
    assert_eq!(reader.live_runs().unwrap(), runs[..1]);
    assert_eq!(reader.run(run_id(1)).unwrap().unwrap(), runs[1]);
    assert_eq!(runs[1].agent, node(1));
    store.assert_sound().await;
}

#[tokio::test]
async fn events_are_filtered_by_time_worknode_and_type() {
    let store = Store::new().await;
    store
        .append(vec![task(node(1), "a"), task(node(2), "b")])
        .await
        .unwrap();
    let mut all = Vec::new();
    for n in 0..30 {
        store.clock.advance(std::time::Duration::from_millis(1));
        all.extend(
            store
                .append(vec![emitted(node(1 + n as u128 % 2), n)])
                .await
                .unwrap(),
        );
    }
    let reader = store.journal.reader();
    for of_node in [None, Some(node(1)), Some(node(7))] {
        for types in [
            vec![],
            vec!["number_1".to_owned()],
            vec!["number_0".to_owned(), "number_2".to_owned()],
        ] {
            for newest_first in [false, true] {
                for limit in [0, 1, 3, 100] {
                    let filter = EventFilter {
                        after: all[3].at,
                        until: Some(all[27].at),
                        node: of_node,
                        types: types.clone(),
                        newest_first,
                        limit,
                    };
                    let mut expected: Vec<_> = all[4..=27]
                        .iter()
                        .filter(|r| of_node.is_none_or(|node| r.node == node))
                        .filter(|r| types.is_empty() || types.iter().any(|t| t == r.event.topic()))
                        .cloned()
                        .collect();
                    if newest_first {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    assert_eq!(reader.events(&filter).unwrap(), expected, "{filter:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn rare_events_are_found_by_their_index_and_told_from_those_of_the_same_name() {
    let store = Store::new().await;
    let raised = |n: u128, what: &str| {
        let what = what.to_owned();
        let detail = n.to_string();
        draft(node(n), Event::AlarmRaised { what, detail })
    };
    let own = Draft {
        event: Event::Emitted {
            name: "alarm_raised".to_owned(),
            version: 1,
            data: serde_json::Map::new(),
        },
        ..emitted(node(1), 0)
    };
    let nodes = vec![task(node(1), "one"), task(node(2), "two")];
    store.append(nodes).await.unwrap();
    for round in 0..3 {
        store
            .append((0..50).map(|n| emitted(node(1), n)).collect())
            .await
            .unwrap();
        store
            .append(vec![
                raised(1, &format!("{round}")),
                raised(2, "other"),
                own.clone(),
            ])
            .await
            .unwrap();
    }
    let reader = store.journal.reader();
    let newest = reader.newest_event(&["alarm_raised", "alarm_ended"], |record| match record.event {
        Event::AlarmRaised { what, .. } if what != "other" => Some(what),
        _ => None,
    });
    assert_eq!(newest.unwrap().unwrap(), "2");
    assert!(reader.newest_event(&["panicked"], Some).unwrap().is_none());
    assert!(
        reader.newest_event(&["progress"], Some).is_err(),
        "that would look at all of them"
    );

    let whole = reader.events(&EventFilter::default()).unwrap();
    for newest_first in [false, true] {
        for of in [None, Some(node(1)), Some(node(2))] {
            let filter = EventFilter {
                node: of,
                types: vec!["alarm_raised".to_owned()],
                after: whole[60].at,
                newest_first,
                limit: 4,
                ..EventFilter::default()
            };
            let is_meant = |record: &&_| -> bool {
                let record: &worknode_core::event::Record = record;
                RARE.contains(&record.event.topic())
                    && of.is_none_or(|of| record.node == of)
                    && record.at > filter.after
            };
            let mut meant: Vec<_> = whole.iter().filter(is_meant).cloned().collect();
            if newest_first {
                meant.reverse();
            }
            meant.truncate(filter.limit);
            assert_eq!(reader.events(&filter).unwrap(), meant);
        }
    }
}

#[tokio::test]
async fn events_of_a_worknode_are_all_of_them() {
    let store = Store::new().await;
    let created = store.append(vec![task(node(1), "a")]).await.unwrap();
    let of = |id| EventFilter {
        node: Some(id),
        ..EventFilter::default()
    };
    let reader = store.journal.reader();
    assert_eq!(reader.events(&of(node(1))).unwrap(), created);
    assert_eq!(reader.events(&of(NodeId::ROOT)).unwrap().len(), 1);
}

#[tokio::test]
async fn async_callers_read_without_blocking() {
    let store = Store::new().await;
    let root = store
        .journal
        .reader()
        .ask(|reader| reader.node(NodeId::ROOT))
        .await
        .unwrap();
    assert_eq!(root.unwrap().name, "all");
}

#[tokio::test]
async fn p8_nobody_looks_further_back_than_there_is_patience_for() {
    let store = Store::new().await;
    let mut drafts = vec![task(node(1), "schema"), draft(node(1), Event::TaskReady)];
    drafts.extend((0..20_u16).flat_map(|n| {
        let other = child(
            node(100 + u128::from(n)),
            NodeId::ROOT,
            Kind::Document,
            &format!("other {n}"),
        );
        [emitted(node(1), n.into()), other]
    }));
    let records = store.append(drafts).await.unwrap();
    let reader = store.journal.reader();
    let ask = |types: &'static [&'static str], until, most, mut patience: usize| {
        let wanted = Back {
            node: node(1),
            types,
            until,
            most,
        };
        let found = reader.newest_of(&wanted, &mut patience).unwrap();
        let at: Vec<Hlc> = found.records.iter().map(|record| record.at).collect();
        (at, found.more, patience)
    };
    let ready = records[1].at;
    assert_eq!(
        ask(&["task_ready"], None, 5, 22),
        (vec![ready], false, 0),
        "to its beginning"
    );
    assert_eq!(
        ask(&["task_ready"], None, 5, 20),
        (vec![], true, 0),
        "it is one further"
    );
    assert_eq!(
        ask(&["task_ready"], None, 1, 100),
        (vec![ready], true, 79),
        "enough"
    );
    assert_eq!(
        ask(&[], Some(ready), 5, 100),
        (vec![ready, records[0].at], false, 78)
    );
    let (newest, more, left) = ask(&[], None, 3, 100);
    assert_eq!((newest.len(), more, left), (3, true, 97));
    assert_eq!(newest[0], records[records.len() - 2].at, "of no other one");
    assert_eq!(ask(&[], None, 3, 0), (vec![], true, 0));
}
