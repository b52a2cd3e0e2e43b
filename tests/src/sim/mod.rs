//! The deterministic simulator: a whole fleet in one thread, one seed, no clock.
//!
//! Owns: virtual time, disks, network, hosts, coordinators and the invariants; the machines in them are the product's.
//! Must not decide anything about the product. Called by the program `sim` (`cargo xtask sim`, `cargo xtask crash`) and
//! by the tests of this crate. How to read a failure: docs/how-to/reproduce-a-simulator-failure.md.

pub mod agent;
pub mod coordinator;
pub mod crash;
pub mod disk;
pub mod faults;
pub mod gates;
pub mod golden;
pub mod host;
pub mod image;
pub mod mutants;
mod operator;
pub mod record;
pub mod rng;
pub mod run;
pub mod settings;
pub mod station;
pub mod trace;
pub mod watch;
pub mod witness;
pub mod world;

#[cfg(test)]
mod tests;
