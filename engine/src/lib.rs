//! Verbs of Pointsman: pure decisions over the nouns of `model`.
//!
//! Owns: reading documents, resolving them per host, planning, verifying, finding drift, and the
//! state machines of apply (host) and rollout (coordinator). Must not: do I/O, read a clock, use
//! randomness or async. Called by the agent, the coordinator and the tools.
#![warn(missing_docs)]

pub mod adopt;
pub mod apply;
pub mod documents;
pub mod journal;
pub mod merge;
pub mod plan;
pub mod probe;
pub mod project;
pub mod proof;
pub mod release;
pub mod resolve;
pub mod rollout;
pub mod rules;
pub mod safety;
pub mod verify;
