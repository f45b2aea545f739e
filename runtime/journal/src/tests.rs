//! The journal through its public face, on real files.

mod append;
mod crash;
mod files;
mod follow;
mod histories;
mod load;
mod reads;
mod support;
mod tamper;
