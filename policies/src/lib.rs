//! May this count?
//!
//! Every rule here is a pure function of what it is given: no I/O, no clock, no randomness.
//! The actors ask, and do what the answer says.
//!
//! | module | what it answers |
//! |---|---|
//! | [`plan`] | what may a plan say, which mistakes are in it, which Worknodes does it mean |
//! | [`pattern`] | does a path fit a list of globs with `!` exclusions |
//! | [`names`] | does an agent's name fit; which name was probably meant |
//! | [`change`] | one path that differs between two trees |
//! | [`gate`] | what do the gates `plan` and `tests` object to |
//! | [`evidence`] | what was a verdict decided on |
//! | [`hook`] | what to say to an agent's program before and after it acts |
//! | [`schema`] | does a value have the form that somebody declared |
//! | [`signature`] | are these two texts of one error |
//! | [`signing`] | the runtime's keys |
//! | [`seal`] | did the runtime keep these bytes |
//! | [`verdict`] | is this verdict the runtime's own, unchanged |
//! | [`capability`] | what does this token allow, and is it genuine |
//! | [`authority`] | may this caller ask this of that Worknode |
//! | [`kinds`] | what may a Worknode of this kind carry, and what did an older version of it mean |
//! | [`membrane`] | what comes in, and what is seen from outside |
//! | [`deviation`] | how far is the work from the plan |
//! | [`dispatch`] | which agent gets which task or review |
//! | [`permission`] | what is a person asked, and by what is their answer bound to it |
//! | [`landing`] | what comes next for a task in review |

pub mod authority;
pub mod capability;
pub mod change;
pub mod deviation;
pub mod dispatch;
pub mod evidence;
pub mod gate;
pub mod hook;
pub mod kinds;
pub mod landing;
pub mod membrane;
pub mod names;
pub mod pattern;
pub mod permission;
pub mod plan;
pub mod schema;
pub mod seal;
pub mod signature;
pub mod signing;
pub mod steal;
#[cfg(test)]
mod testing;
pub mod text;
pub mod verdict;
