//! The moving parts.
pub mod address;
pub mod clock;
pub mod definition;
pub mod directory;
mod feed;
pub mod keeper;
pub mod membrane;
pub mod new_task;
mod policy;
pub mod runtime;
pub mod scheduler;
pub mod store;
pub mod submit;
mod supervisor;
pub mod system;
mod team;
mod worknode;
