//! A stateful ESXi look-alike: one host's network, the `esxcli` program in front of it and the physical network
//! around it.
//!
//! Owns: the product's only ESXi. Must not: use the crates `engine` or `esxcli` (it is a second opinion on both);
//! it shares nouns with the product through `model` only. Called by tests, the demo and its own two programs.

mod cli;
mod describe;
pub mod fabric;
pub mod faults;
pub mod fleet;
pub mod forward;
mod host;
pub mod network;
mod observed;
mod store;

pub use describe::DescribeError;
pub use host::{Boot, Dvs, Facts, Host, Output, Quirks, Release, Vm};
pub use store::{AUTO_BACKUP, CALL_SEPARATOR, HostDir, StoreError};
