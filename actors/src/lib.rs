//! The moving parts: what supervises, schedules, decides and acts, on ractor.
//!
//! ```text
//! supervisor (rest-for-one)
//! ├─ directory ── one actor for each Worknode that is awake
//! ├─ keeper ───── one job for each live run: its shim, its program's words, its receipt
//! ├─ policy ───── one job for each submission: gates, review, landing
//! ├─ oversight ── who has to know: deviation from the plan, ladders of what is stuck
//! ├─ scheduler ── triggers
//! └─ team ─────── who works on what
//! ```
//!
//! Four rules hold the house together:
//!
//! - **Ask, append, act.** A Worknode's actor asks the pure `decide` of `worknode-core`, appends
//!   the events, and only then lets the effect happen. Nobody else writes that Worknode.
//! - **Follow, do not call.** Team, policy and scheduler learn what happened from
//!   the journal (`feed.rs`), look at the state that is stored, and decide from that
//!   alone. A crash between any two lines is therefore a restart at the first.
//! - **Ask the guard.** Before a run is queued or a landing begun, the Worknode's actor asks the
//!   one guard (`guard.rs`): is there a panic, is there money, do the credentials give? There is
//!   no other way to a process.
//! - **Never wait on the world in a handler.** Processes, git and gates live in jobs; what comes
//!   of them is a message or an event.
//!
//! # Follow one task
//!
//! From the trigger to the next task. `Where` is the file that does it; `Whose` the Worknode to
//! which the events belong; a test runs this very life and compares the events with this table.
//!
//! | Hop | Where | Whose | Events |
//! |---|---|---|---|
//! | a trigger fires, once | `scheduler/batch.rs` | team | `trigger_fired` |
//! | and makes a task, in the same transaction | `scheduler/deed/spawn.rs` | task | `node_created` |
//! | which is its outcome | `scheduler/batch.rs` | team | `trigger_acted` |
//! | nothing stands before the task | `team/steps.rs` | task | `task_ready` |
//! | the team gives it to an idle agent | `team/perform.rs` | task | `task_claimed` |
//! | and starts a run of that agent | `worknode.rs` | worker | `run_queued` `run_starting` |
//! | clone, brief, token; then the process | `keeper/job.rs` | worker | `run_started` |
//! | the agent holds the task | `keeper/job.rs` | task | `task_started` |
//! | it says how far it is | `membrane.rs` | task | `task_progressed` |
//! | it hands in a commit, which is taken over | `submit.rs` | task | `task_submitted` |
//! | and ends | `keeper/job.rs` | worker | `run_exited` |
//! | the runtime judges exactly the tree that would land | `policy/gates.rs` | task | `verdict_recorded` `verdict_recorded` |
//! | and asks for a reviewer | `policy.rs` | task | `review_requested` |
//! | whom the team starts | `team/perform.rs` | reviewer | `run_queued` `run_starting` `run_started` |
//! | and who agrees | `worknode.rs` | task | `task_approved` |
//! | the reviewer ends | `keeper/job.rs` | reviewer | `run_exited` |
//! | the tree lands, one at a time | `policy/land.rs` | task | `landing_started` `task_completed` |
//! | what the trigger started is over | `scheduler/over.rs` | team | `trigger_ended` |
//! | the next task is free | `team/steps.rs` | next | `node_created` `task_ready` |

pub mod address;
mod board;
pub mod capabilities;
pub mod claims;
pub mod clock;
pub mod coordinator;
pub mod definition;
pub mod deviation;
pub mod directory;
pub mod enlist;
mod fault;
mod feed;
pub mod guard;
pub mod inbox;
pub mod inspect;
pub mod keeper;
mod locked;
pub mod membrane;
pub mod memory;
mod messages;
#[cfg(test)]
mod model;
pub mod new_task;
pub mod nodes;
pub mod notes;
pub mod outside;
pub mod oversight;
mod policy;
mod pools;
pub mod query;
pub mod replan;
pub mod request;
pub mod runtime;
pub mod scheduler;
pub mod spawn;
pub mod store;
pub mod submit;
pub mod subtree;
mod supervisor;
pub mod system;
mod team;
pub mod tls;
pub mod tool_calls;
pub mod tuning;
pub mod undo;
mod violations;
mod worknode;
