//! Functions that reach themselves.

use std::collections::HashMap;

use crate::{
    change::{ChangeSet, File},
    code::{Function, Language, Receiver},
    finding::Finding,
};

/// Names of a cycle that are shown.
const SHOWN: usize = 5;

struct Place<'a> {
    file: &'a File,
    function: &'a Function,
    language: Language,
}

/// Findings for each changed function that is part of a cycle.
pub(super) fn of(change: &ChangeSet) -> Vec<(&File, Finding)> {
    let places: Vec<Place<'_>> = change
        .modules()
        .flat_map(|(file, module, _)| {
            let place = move |function| Place {
                file,
                function,
                language: module.language,
            };
            module.functions.iter().map(place)
        })
        .filter(|place| !place.function.name.is_empty())
        .collect();
    let changed: std::collections::HashSet<*const Function> = change
        .functions()
        .into_iter()
        .map(|(_, function)| std::ptr::from_ref(function))
        .collect();
    let edges = edges(&places);
    let mut findings = Vec::new();
    for cycle in components(&edges) {
        let itself = |at: usize| edges[at].contains(&at);
        if cycle.len() == 1 && !itself(cycle[0]) {
            continue;
        }
        for at in &cycle {
            let place = &places[*at];
            if changed.contains(&std::ptr::from_ref(place.function)) {
                findings.push((place.file, finding(place, &cycle, &places)));
            }
        }
    }
    findings
}

fn finding(place: &Place<'_>, cycle: &[usize], places: &[Place<'_>]) -> Finding {
    let name = place.function.path();
    let message = if cycle.len() == 1 {
        format!("`{name}` calls itself")
    } else {
        let names: Vec<String> = cycle
            .iter()
            .take(SHOWN)
            .map(|at| format!("`{}`", places[*at].function.path()))
            .collect();
        let more = if cycle.len() > SHOWN { " and others" } else { "" };
        format!("`{name}` calls itself through others: {}{more}", names.join(", "))
    };
    super::about(
        "recursion",
        place.file,
        place.function,
        place.function.line,
        message,
    )
    .hint("use a loop with a bound, and a list of what is still to do")
}

/// For each function, the functions that it certainly calls.
fn edges(places: &[Place<'_>]) -> Vec<Vec<usize>> {
    let mut by_name: HashMap<(Language, &str), Vec<usize>> = HashMap::new();
    for (at, place) in places.iter().enumerate() {
        by_name
            .entry((place.language, &place.function.name))
            .or_default()
            .push(at);
    }
    places
        .iter()
        .map(|place| {
            let mut reached: Vec<usize> = place
                .function
                .calls
                .iter()
                .filter_map(|call| {
                    let named = by_name.get(&(place.language, call.name.as_str()))?;
                    reached(place, &call.receiver, named, places)
                })
                .collect();
            reached.sort_unstable();
            reached.dedup();
            reached
        })
        .collect()
}

/// The one function that a call means; `None` when it may be another.
fn reached(place: &Place<'_>, through: &Receiver, named: &[usize], places: &[Place<'_>]) -> Option<usize> {
    let own = &place.function.container;
    let same_file = |at: &&usize| places[**at].file.path() == place.file.path();
    // In Java and C++ a method is called by its name alone, too.
    let implicit = matches!(place.language, Language::Java | Language::Cpp);
    let fits = |at: &&usize| {
        let container = &places[**at].function.container;
        match through {
            Receiver::Own => container == own && !own.is_empty(),
            Receiver::Named(name) => container == name,
            Receiver::None => container.is_empty() || (implicit && container == own),
        }
    };
    let fitting: Vec<usize> = named.iter().filter(fits).copied().collect();
    let here = fitting.iter().find(same_file).copied();
    match (here, fitting.as_slice()) {
        (Some(here), _) => Some(here),
        (None, [one]) => Some(*one),
        _ => None,
    }
}

/// What one function still has to do in the search.
struct Step {
    at: usize,
    next: usize,
}

/// Tarjan's strongly connected components, without recursion.
fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        edges,
        order: vec![UNSEEN; edges.len()],
        low: vec![0; edges.len()],
        waiting: vec![false; edges.len()],
        line: Vec::new(),
        found: Vec::new(),
        count: 0,
    };
    for start in 0..edges.len() {
        if search.order[start] == UNSEEN {
            search.from(start);
        }
    }
    search.found
}

const UNSEEN: usize = usize::MAX;

struct Search<'e> {
    edges: &'e [Vec<usize>],
    /// When each was seen first.
    order: Vec<usize>,
    /// The first that each leads back to.
    low: Vec<usize>,
    waiting: Vec<bool>,
    /// Those that wait for their component to be whole.
    line: Vec<usize>,
    found: Vec<Vec<usize>>,
    count: usize,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        let mut steps = vec![Step { at: start, next: 0 }];
        while let Some(step) = steps.last_mut() {
            let at = step.at;
            self.enter(at);
            if let Some(to) = self.edges[at].get(step.next).copied() {
                step.next += 1;
                if self.order[to] == UNSEEN {
                    steps.push(Step { at: to, next: 0 });
                } else if self.waiting[to] {
                    self.low[at] = self.low[at].min(self.order[to]);
                }
                continue;
            }
            if self.low[at] == self.order[at] {
                let whole = taken(&mut self.line, &mut self.waiting, at);
                self.found.push(whole);
            }
            steps.pop();
            if let Some(above) = steps.last() {
                self.low[above.at] = self.low[above.at].min(self.low[at]);
            }
        }
    }

    fn enter(&mut self, at: usize) {
        if self.order[at] == UNSEEN {
            (self.order[at], self.low[at], self.waiting[at]) = (self.count, self.count, true);
            self.count += 1;
            self.line.push(at);
        }
    }
}

fn taken(line: &mut Vec<usize>, waiting: &mut [bool], at: usize) -> Vec<usize> {
    let mut together = Vec::new();
    while let Some(top) = line.pop() {
        waiting[top] = false;
        together.push(top);
        if top == at {
            break;
        }
    }
    together.sort_unstable();
    together
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_found_and_chains_are_not() {
        let edges = vec![vec![1], vec![2], vec![0], vec![0], vec![4], vec![]];
        let mut found = components(&edges);
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![3], vec![4], vec![5]]);
        let long: Vec<Vec<usize>> = (0..100_000).map(|at| vec![(at + 1) % 100_000]).collect();
        assert_eq!(components(&long).len(), 1);
    }
}
