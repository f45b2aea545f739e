//! The real programs of the drivers, supervised against a model that is played on loopback.
//!
//! Not part of the ordinary tests: it installs each client with npm, once, into the target folder,
//! and says of those that it cannot install that they were skipped. `just test-clients` runs it.
//! Apart from that nothing leaves the machine.
//!
//! The default driver files are used as they are, with the sandbox on: what these tests set is what
//! a user would have set, in the environment of the daemon.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod adopted;
mod client;
mod install;
mod killed;
mod landed;
mod paused;
mod stage;
mod stub;
