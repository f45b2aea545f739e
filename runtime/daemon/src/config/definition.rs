//! From configuration, checked, to the terms of the runtime.

use std::{path::PathBuf, sync::Arc};

use worknode_actors::definition::{AgentDefinition, DeviationLimit, TeamDefinition, TestsDefinition};
use worknode_core::{agent::Share, bounds, budget::Budget, task::Approval};
use worknode_policies::{
    gate,
    kinds::Kinds,
    plan::{self, Defaults, Plan},
};
use worknode_triggers::Trigger;

use super::model::{Config, OnDeviation};

/// What was built while it was checked.
#[derive(Debug)]
pub(super) struct Parts {
    pub repository: PathBuf,
    pub agents: Vec<AgentDefinition>,
    pub triggers: Vec<Trigger>,
    pub plan: Plan,
    pub tests_writes: Vec<PathBuf>,
    pub kinds: Kinds,
}

/// The team that `config` means.
pub(super) fn definition(config: &Config, parts: Parts) -> TeamDefinition {
    let team = &config.team;
    let tests = config.gate.tests.as_ref();
    let mut definition = TeamDefinition {
        name: team.name.clone().unwrap_or_default(),
        repository: parts.repository,
        base: team.base.clone(),
        live_agents: number(config.limits.agents),
        budget: Budget::from(Share::from(&config.limits)),
        attempts: config.limits.attempts.unwrap_or(bounds::ATTEMPTS),
        spawn_depth: number(config.limits.spawn_depth),
        spawn_fan_out: number(config.limits.spawn_fan_out),
        steal_from: number(config.claims.steal_from),
        strategy: team.strategy,
        agents: parts.agents,
        triggers: parts.triggers,
        plan: Vec::new(),
        plan_digest: plan::digest(&parts.plan),
        tests: tests.map(|tests| TestsDefinition {
            command: tests.command.clone(),
            timeout: tests.timeout.0,
            sandbox: tests.sandbox,
            writes: parts.tests_writes.clone(),
            reports: tests.reports.clone(),
            reruns: tests.reruns,
            counted: tests.counted,
        }),
        gates: Arc::new(config.all_gates()),
        gate_writes: parts.tests_writes.clone(),
        default_gates: team
            .gates
            .clone()
            .unwrap_or_else(|| default_gates(tests.is_some())),
        kinds: Arc::new(parts.kinds),
        membranes: Vec::new(),
        deviation: DeviationLimit {
            threshold: u32::from(config.plan.deviation) * 10,
            stop_spawns: config.plan.on_deviation == OnDeviation::Stop,
        },
    };
    let by_default = if definition.has_reviewer() {
        Approval::Validation
    } else {
        Approval::None
    };
    let defaults = Defaults {
        gates: definition.default_gates.clone(),
        approval: team.approval.unwrap_or(by_default),
        max_attempts: definition.attempts,
    };
    let planned = plan::resolve(&parts.plan, definition.node(), &defaults);
    definition.plan = planned
        .into_iter()
        .map(|planned| (planned.id, planned.spec))
        .collect();
    definition
}

fn number(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn default_gates(has_tests: bool) -> Vec<String> {
    let tests = has_tests.then_some(gate::TESTS);
    std::iter::once(gate::PLAN)
        .chain(tests)
        .map(str::to_owned)
        .collect()
}
