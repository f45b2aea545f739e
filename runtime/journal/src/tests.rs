//! The journal through its public face, on real files.

mod append;
mod crash;
mod files;
mod follow;
mod histories;
mod load;
mod notes;
mod reads;
mod select;
mod shape;
mod support;
mod tamper;
mod trees;
mod upgrade;
