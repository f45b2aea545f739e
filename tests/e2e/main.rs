//! End to end: the real program on real repositories, and runtimes on a clock that a test moves.
//!
//! One binary, so that it links once. One file per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod analytics;
mod api;
mod api_callers;
mod asked_again;
mod bad_input;
mod capability;
mod capability_reach;
mod cheating;
mod checkouts;
mod claims;
mod contention;
mod crash;
mod demo;
mod errors;
mod escape;
mod examples;
mod fewer_tests;
mod follow_one_task;
mod gates;
mod hooks;
mod idle;
mod kill;
mod landing;
mod landing_queue;
mod layering;
mod limits;
mod look;
mod mailbox;
mod mcp;
mod mcp_http;
mod membranes;
mod membranes_program;
mod memory;
mod nodes;
mod novacron;
mod operator;
mod output;
mod past_gates;
mod plan;
mod processes;
mod prompts;
mod quorum;
mod reload;
mod schedule;
mod self_governing;
mod shared_answers;
mod spawn;
mod store;
mod streams;
mod task_limits;
mod telemetry;
mod terminal;
mod tls;
mod triggers;
mod triggers_act;
mod triggers_agents;
mod triggers_burst;
mod triggers_raise;
mod triggers_time;
mod triggers_tls;
mod ways_in;
mod why;
