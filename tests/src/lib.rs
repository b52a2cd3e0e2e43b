//! Glue of the system tests: the real parts put together.
//!
//! Owns: `host` (planner, grammar and simulator in one process) and `lab` (real programs on this machine, also used by
//! `cargo xtask demo`). Must not decide anything about the product. Called by the tests and by xtask.

pub mod host;
pub mod lab;
pub mod sim;
