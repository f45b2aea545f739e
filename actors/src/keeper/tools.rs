//! The calls of tools of one run, as its program tells of them.

use std::collections::VecDeque;

use worknode_core::{run::RunSpec, time::Timestamp, trace::ToolCall};
use worknode_profiles::stream::Report;

use crate::{system::System, tool_calls::ToolCalls};

/// Calls that are remembered as open; programs make a handful at once.
const OPEN: usize = 64;

/// A call that is not over.
#[derive(Debug)]
struct Open {
    number: u64,
    tool: String,
    /// `None` of one that was read again: when it really began is not known.
    began: Option<Timestamp>,
}

/// Pairs beginnings with ends, and tells what is over.
#[derive(Debug)]
pub(super) struct Tools {
    told: ToolCalls,
    agent: String,
    run: RunSpec,
    /// An earlier daemon may have heard a part.
    adopted: bool,
    made: u64,
    open: VecDeque<Open>,
}

impl Tools {
    pub(super) fn of(system: &System, agent: &str, run: &RunSpec, adopted: bool) -> Self {
        Self {
            told: system.context().tool_calls.clone(),
            agent: agent.to_owned(),
            run: run.clone(),
            adopted,
            made: 0,
            open: VecDeque::new(),
        }
    }

    /// What `report` says of tools. While a daemon reads what there is `already`, an earlier one may have
    /// heard it: then calls are counted and not told.
    pub(super) fn note(&mut self, report: &Report, at: Timestamp, already: bool) {
        if !self.told.are_watched() {
            return;
        }
        let again = already && self.adopted;
        match report {
            Report::Tool { name, .. } => self.begin(name, (!again).then_some(at)),
            Report::ToolEnded { name, ok } => self.end(name, *ok, at),
            _ => {}
        }
    }

    fn begin(&mut self, name: &str, began: Option<Timestamp>) {
        self.made += 1;
        if self.open.len() >= OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open {
            number: self.made,
            tool: name.to_owned(),
            began,
        });
    }

    /// Of several calls of one tool at the same time, the one that began first is the one that ends: the
    /// program does not say which.
    fn end(&mut self, name: &str, ok: bool, ended: Timestamp) {
        let at = self.open.iter().position(|open| open.tool == name);
        let Some(Open { number, tool, began }) = at.and_then(|at| self.open.remove(at)) else {
            return;
        };
        if let Some(began) = began {
            self.told.tell(ToolCall {
                agent: self.agent.clone(),
                run: self.run.clone(),
                number,
                tool,
                began,
                ended,
                ok,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use worknode_core::{
        ids::RunId,
        run::{Purpose, RunLimits},
    };

    use super::*;

    fn call(name: &str) -> Report {
        Report::Tool {
            name: name.to_owned(),
            summary: String::new(),
        }
    }

    fn over(name: &str) -> Report {
        Report::ToolEnded {
            name: name.to_owned(),
            ok: true,
        }
    }

    fn tools(told: ToolCalls) -> Tools {
        Tools {
            told,
            agent: "coder".to_owned(),
            run: RunSpec {
                id: RunId::from_parts(2, [2; 10]),
                purpose: Purpose::Standing,
                limits: RunLimits::default(),
                raised: Vec::new(),
            },
            adopted: true,
            made: 0,
            open: VecDeque::new(),
        }
    }

    #[test]
    fn calls_that_overlap_are_told_with_their_own_times() {
        let (told, mut heard) = ToolCalls::watched();
        let mut tools = tools(told);
        let at = Timestamp::from_millis;
        for (report, when) in [
            (call("Read"), 1),
            (call("Bash"), 2),
            (over("Bash"), 5),
            (over("Read"), 9),
        ] {
            tools.note(&report, at(when), false);
        }
        let bash = heard.try_recv().unwrap();
        assert_eq!((bash.number, bash.began, bash.ended), (2, at(2), at(5)));
        let read = heard.try_recv().unwrap();
        assert_eq!((read.number, read.began, read.ended), (1, at(1), at(9)));
    }

    #[test]
    fn what_is_read_again_is_counted_and_not_told() {
        let (told, mut heard) = ToolCalls::watched();
        let mut tools = tools(told);
        tools.note(&call("Read"), Timestamp::from_millis(1), true);
        tools.note(&over("Read"), Timestamp::from_millis(1), true);
        tools.note(&call("Bash"), Timestamp::from_millis(2), false);
        tools.note(&over("Bash"), Timestamp::from_millis(3), false);
        assert_eq!(heard.try_recv().unwrap().number, 2);
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn p8_calls_that_never_end_are_forgotten() {
        let (told, _heard) = ToolCalls::watched();
        let mut tools = tools(told);
        for _ in 0..10 * OPEN {
            tools.note(&call("Bash"), Timestamp::from_millis(1), false);
        }
        assert_eq!(tools.open.len(), OPEN);
    }
}
