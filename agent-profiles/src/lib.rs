//! Profiles and drivers: what an agent is, and how its program is started. TOML files that
//! ship with the product, the types that read them, and the brief that a run begins with.
//!
//! | module | what it holds |
//! |---|---|
//! | [`profile`] | what an agent is: tier, limits, restarts, brief |
//! | [`driver`] | how one kind of program is started, as data |
//! | [`stream`] | what its output means, and what it is to be told |
//! | [`brief`] | what an agent is told at the start of a run |
//! | [`catalogue`] | the files that ship, and the user's own over them |
//! | [`import`], [`servers`] | agents and servers as other programs have them |
//!
//! Pure: files come in as text. The ones that ship are part of the program.

pub mod brief;
pub mod catalogue;
pub mod driver;
pub mod import;
pub mod profile;
pub mod servers;
pub mod stream;

pub use brief::{Brief, Template};
pub use catalogue::{Catalogue, ProfileProblem};
pub use driver::{CommandLine, Driver, Extras, Launch, McpServer};
pub use profile::Profile;
pub use stream::Conversation;
