//! The console rescue: what a person at the host can see and do with no network at all.
//!
//! Owns: the verbs, the socket between them and a running agent, freeze and pin. Must not: decide
//! about a change. With a running agent a verb asks it; without one it acts on the journal itself.
//! Called by `main` and the event loop.

pub mod approvers;
pub mod client;
pub mod doctor;
pub mod driver;
pub mod exit;
pub mod history;
pub mod holds;
pub mod local;
pub mod preview;
pub mod rollback;
pub mod seat;
pub mod server;
pub mod verbs;
pub mod wire;
pub mod words;
