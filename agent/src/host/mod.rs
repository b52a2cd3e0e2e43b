//! The host: its programs, its clock, its boot.
//!
//! Owns: everything that touches the host, and the one thread it runs on. Must not: decide.
//! Called by the event loop through [`worker`], and by the command line.

pub mod apply;
pub mod boot;
pub mod identity;
pub mod observe;
pub mod ping;
pub mod planning;
pub mod runner;
pub mod worker;
