//! Who gets what, and in every random situation: nothing twice, nothing over the limit.

use proptest::prelude::*;

use super::*;
use crate::testing::node;

const fn candidate(id: NodeId, name: &str, tier: Tier, availability: Availability) -> Candidate<'_> {
    Candidate {
        id,
        name,
        profile: "coder",
        tier,
        by_name: false,
        availability,
    }
}

fn coder(n: u8, name: &str, availability: Availability) -> Candidate<'_> {
    candidate(node(n), name, Tier::Implementation, availability)
}

fn task(n: u8) -> ReadyTask<'static> {
    ReadyTask {
        id: node(100 + n),
        priority: 0,
        order: u64::from(n),
        agent: None,
        role: None,
        lost_by: &[],
    }
}

fn pairs(assignments: &[Assignment]) -> Vec<(NodeId, NodeId)> {
    assignments.iter().map(|a| (a.task, a.agent)).collect()
}

#[test]
fn priority_goes_before_the_order_of_the_plan() {
    let team = [coder(1, "a", Availability::Idle)];
    let urgent = ReadyTask {
        priority: 5,
        ..task(2)
    };
    assert_eq!(pairs(&work(&[task(1), urgent], &team, 8)), [(urgent.id, node(1))]);
    assert_eq!(
        pairs(&work(&[task(2), task(1)], &team, 8)),
        [(task(1).id, node(1))]
    );
}

#[test]
fn an_agent_of_triggers_takes_only_what_is_for_it_by_its_whole_name() {
    let of_trigger = Candidate {
        by_name: true,
        ..coder(1, "trigger-mend", Availability::Idle)
    };
    let wanted = |agent| ReadyTask { agent, ..task(1) };
    let given = |agent| work(&[wanted(agent)], &[of_trigger], 8).len();
    assert_eq!(given(Some("trigger-mend")), 1);
    assert_eq!(
        (given(None), given(Some("*")), given(Some("trigger-*"))),
        (0, 0, 0)
    );
    assert!(!will_do(&wanted(None), &of_trigger));
    let reviewer = Candidate {
        tier: Tier::Validation,
        ..of_trigger
    };
    let review = WantedReview {
        id: node(101),
        priority: 0,
        order: 0,
        submitted_by: node(9),
        agreed: Vec::new(),
    };
    assert!(reviews(&[review], &[reviewer], 8).is_empty());
}

#[test]
fn only_idle_agents_of_the_implementation_tier_work() {
    let team = [
        candidate(node(1), "boss", Tier::Executive, Availability::Idle),
        candidate(node(2), "judge", Tier::Validation, Availability::Idle),
        coder(3, "busy", Availability::Later),
        coder(4, "gone", Availability::Never),
    ];
    assert!(work(&[task(1)], &team, 8).is_empty());
}

#[test]
fn the_glob_chooses_and_specific_tasks_are_not_starved_by_general_ones() {
    let team = [
        coder(1, "api-1", Availability::Idle),
        coder(2, "web-1", Availability::Idle),
    ];
    let api = ReadyTask {
        agent: Some("api-*"),
        ..task(2)
    };
    assert_eq!(
        pairs(&work(&[task(1), api], &team, 8)),
        [(task(1).id, node(2)), (api.id, node(1))]
    );
    let nobody = ReadyTask {
        agent: Some("db-*"),
        ..task(3)
    };
    assert!(work(&[nobody], &team, 8).is_empty());
    let of_role = |role| ReadyTask {
        role: Some(role),
        ..task(4)
    };
    assert_eq!(work(&[of_role("coder")], &team, 8).len(), 1);
    assert!(work(&[of_role("painter")], &team, 8).is_empty());
}

#[test]
fn an_agent_that_lost_the_task_waits_for_others_who_will_do() {
    let lost = [node(1)];
    let again = ReadyTask {
        lost_by: &lost,
        ..task(1)
    };
    let loser = coder(1, "a", Availability::Idle);
    let with = |other| work(&[again], &[loser, coder(2, "b", other)], 8);
    assert_eq!(pairs(&with(Availability::Idle)), [(again.id, node(2))]);
    assert!(with(Availability::Later).is_empty());
    assert_eq!(pairs(&with(Availability::Never)), [(again.id, node(1))]);
    assert_eq!(pairs(&work(&[again], &[loser], 8)), [(again.id, node(1))]);
    let only_loser_fits = ReadyTask {
        agent: Some("a"),
        ..again
    };
    let team = [loser, coder(2, "b", Availability::Later)];
    assert_eq!(pairs(&work(&[only_loser_fits], &team, 8)), [(again.id, node(1))]);
}

#[test]
fn a_task_that_waits_for_somebody_holds_up_nobody() {
    let lost = [node(1)];
    let waiting = ReadyTask {
        lost_by: &lost,
        priority: 9,
        ..task(1)
    };
    let team = [
        coder(1, "a", Availability::Idle),
        coder(2, "b", Availability::Later),
    ];
    assert_eq!(
        pairs(&work(&[waiting, task(2)], &team, 8)),
        [(task(2).id, node(1))]
    );
}

#[test]
fn p3_nobody_reviews_their_own_work() {
    let judge = |n, name| candidate(node(n), name, Tier::Validation, Availability::Idle);
    let wanted = |by| WantedReview {
        id: node(100),
        priority: 0,
        order: 1,
        submitted_by: node(by),
        agreed: Vec::new(),
    };
    assert_eq!(
        pairs(&reviews(&[wanted(9)], &[judge(1, "a")], 8)),
        [(node(100), node(1))]
    );
    assert!(reviews(&[wanted(1)], &[judge(1, "a")], 8).is_empty());
    let again = WantedReview {
        agreed: vec![node(1)],
        ..wanted(9)
    };
    assert!(
        reviews(&[again], &[judge(1, "a")], 8).is_empty(),
        "a second word of the same"
    );
    let two = [judge(1, "a"), judge(2, "b")];
    assert_eq!(pairs(&reviews(&[wanted(1)], &two, 8)), [(node(100), node(2))]);
}

#[test]
fn reviews_come_first_when_room_is_short() {
    let team = [
        coder(1, "a", Availability::Idle),
        candidate(node(2), "judge", Tier::Validation, Availability::Idle),
    ];
    let wanted = [WantedReview {
        id: node(100),
        priority: 0,
        order: 1,
        submitted_by: node(1),
        agreed: Vec::new(),
    }];
    let one = dispatch(&[task(1)], &wanted, &team, 3, 4);
    assert_eq!((one.reviews.len(), one.work.len()), (1, 0));
    let two = dispatch(&[task(1)], &wanted, &team, 2, 4);
    assert_eq!((two.reviews.len(), two.work.len()), (1, 1));
    assert_eq!(dispatch(&[task(1)], &wanted, &team, 9, 4), Dispatch::default());
}

fn any_tier() -> impl Strategy<Value = Tier> {
    prop_oneof![
        Just(Tier::Executive),
        Just(Tier::Implementation),
        Just(Tier::Validation)
    ]
}

fn any_availability() -> impl Strategy<Value = Availability> {
    prop_oneof![
        Just(Availability::Idle),
        Just(Availability::Later),
        Just(Availability::Never)
    ]
}

type Tasks = Vec<(u8, i32, Option<&'static str>, Vec<u8>)>;

fn any_tasks() -> impl Strategy<Value = Tasks> {
    let pattern = prop_oneof![Just(None), Just(Some("a*")), Just(Some("?")), Just(Some("b1"))];
    prop::collection::vec(
        (
            0_u8..12,
            -1_i32..2,
            pattern,
            prop::collection::vec(0_u8..10, 0..4),
        ),
        0..14,
    )
}

proptest! {
    #[test]
    fn p1_p8_nothing_is_given_twice_and_the_limit_holds(
        tasks in any_tasks(),
        wanted in prop::collection::vec((0_u8..12, 0_u8..10), 0..6),
        agents in prop::collection::vec((0_u8..10, "[ab][0-9]?", any_tier(), any_availability()), 0..10),
        live in 0_usize..10,
        limit in 0_usize..10,
    ) {
        let lost: Vec<Vec<NodeId>> =
            tasks.iter().map(|(.., lost)| lost.iter().map(|n| node(*n)).collect()).collect();
        let ready: Vec<_> = tasks.iter().zip(&lost).map(|((n, priority, agent, _), lost)| ReadyTask {
            priority: *priority, agent: *agent, lost_by: lost, ..task(*n)
        }).collect();
        let wanted: Vec<_> = wanted.iter().map(|(n, by)| WantedReview {
            id: node(150 + n), priority: 0, order: u64::from(*n), submitted_by: node(*by), agreed: Vec::new(),
        }).collect();
        let team: Vec<_> = agents.iter()
            .map(|(n, name, tier, availability)| candidate(node(*n), name, *tier, *availability)).collect();

        let result = dispatch(&ready, &wanted, &team, live, limit);
        let all: Vec<_> = result.reviews.iter().chain(&result.work).collect();
        let unique = |ids: Vec<NodeId>| ids.iter().collect::<BTreeSet<_>>().len() == ids.len();
        prop_assert!(unique(all.iter().map(|a| a.task).collect()));
        prop_assert!(unique(all.iter().map(|a| a.agent).collect()) || !unique(team.iter().map(|a| a.id).collect()));
        prop_assert!(all.is_empty() || live + all.len() <= limit);
        for given in &result.work {
            prop_assert!(team.iter().any(|a| a.id == given.agent && a.tier == Tier::Implementation && a.availability == Availability::Idle));
            prop_assert!(ready.iter().any(|t| t.id == given.task && team.iter().any(|a| a.id == given.agent && fits(t, a))));
        }
        for given in &result.reviews {
            prop_assert!(wanted.iter().any(|w| w.id == given.task && w.submitted_by != given.agent));
        }
        prop_assert_eq!(result, dispatch(&ready, &wanted, &team, live, limit));
    }
}
