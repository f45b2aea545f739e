//! The membranes of the configuration: whose they are, and every mistake in them.

use std::collections::{BTreeMap, HashMap};

use worknode_actors::definition::TeamDefinition;
use worknode_core::{
    ids::NodeId,
    membrane::MembraneSpec,
    node::{Kind, NodeSpec},
};
use worknode_policies::{
    membrane::compile,
    names::{Suggestions, fits},
};

use super::{Problems, did_you_mean};
use crate::config::{model::Config, path::shown};

/// Checks all membranes, and says whose each is.
pub(super) fn declared(
    config: &Config,
    team: &TeamDefinition,
    problems: &mut Problems,
) -> Vec<(NodeId, MembraneSpec)> {
    let places = Places::of(team);
    let mut suggestions = Suggestions::default();
    let mut declared: BTreeMap<NodeId, (usize, MembraneSpec)> = BTreeMap::new();
    for (at, entry) in config.membrane.iter().enumerate() {
        let path = format!("membrane[{at}]");
        let spec = entry.spec();
        if let Err(mistakes) = compile(NodeId::ROOT, &spec) {
            for mistake in mistakes {
                problems.say(format!("{path}.{}", mistake.key), mistake.message, mistake.hint);
            }
        }
        let nodes = places.named(&entry.of);
        if nodes.is_empty() {
            let names: Vec<&str> = places.names.iter().map(|(name, _)| name.as_str()).collect();
            let hint = did_you_mean(&mut suggestions, &entry.of, &names)
                .or_else(|| Some("other Worknodes get one with `worknode membrane set`".to_owned()));
            let message = format!("`{}` is no Worknode of this configuration", shown(&entry.of));
            problems.say(format!("{path}.of"), message, hint);
        }
        for node in nodes {
            if let Some((first, _)) = declared.get(&node) {
                let message = format!("membrane[{first}] is for one of these Worknodes too");
                let hint = "a Worknode has one membrane; write what it says into one".to_owned();
                problems.say(format!("{path}.of"), message, Some(hint));
                break;
            }
            declared.insert(node, (at, spec.clone()));
        }
    }
    declared
        .into_iter()
        .map(|(node, (_, spec))| (node, spec))
        .collect()
}

/// How each Worknode of the configuration may be named.
struct Places {
    names: Vec<(String, NodeId)>,
}

impl Places {
    fn of(team: &TeamDefinition) -> Self {
        let mut names = vec![
            ("root".to_owned(), NodeId::ROOT),
            ("team".to_owned(), team.node()),
        ];
        let mut paths: HashMap<NodeId, String> = HashMap::new();
        // Parents come before their children.
        for (id, spec) in team.nodes() {
            if let Some(short) = short(&spec) {
                names.push((short, id));
            }
            let above = spec.parent.and_then(|parent| paths.get(&parent));
            let path = above.map_or_else(|| spec.name.clone(), |above| format!("{above}/{}", spec.name));
            if id != NodeId::ROOT {
                names.push((path.clone(), id));
                paths.insert(id, path);
            }
        }
        Self { names }
    }

    /// Of several agents that one entry makes, its name means all.
    fn named(&self, of: &str) -> Vec<NodeId> {
        let is = |name: &str| fits(of, name);
        let is_one_of = |name: &str| {
            let number = name.strip_prefix(of).and_then(|rest| rest.strip_prefix('-'));
            of.starts_with("agent:") && number.is_some_and(|rest| rest.parse::<u32>().is_ok())
        };
        let matching = |wanted: &dyn Fn(&str) -> bool| -> Vec<NodeId> {
            let found = self.names.iter().filter(|(name, _)| wanted(name));
            found.map(|(_, id)| *id).collect()
        };
        let mut found = matching(&is);
        if found.is_empty() {
            found = matching(&is_one_of);
        }
        found.sort();
        found.dedup();
        found
    }
}

fn short(spec: &NodeSpec) -> Option<String> {
    match spec.kind {
        Kind::Agent | Kind::Phase | Kind::Task => Some(format!("{}:{}", spec.kind.name(), spec.name)),
        _ => None,
    }
}
