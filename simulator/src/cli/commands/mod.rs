//! The commands, one file per family. Each file declares its commands and holds their handlers.
//!
//! Owns: which fields a command prints per release. Must not: parse arguments or know formats.

mod diag;
mod interface;
mod interface_ip;
mod netstack;
mod nic;
mod policy;
mod portgroup;
mod system;
mod vm;
mod vswitch;

use super::args::{Kind, Opt};
use super::table::Command;
use crate::host::Release;

/// All families, in the order of the help.
pub const FAMILIES: &[&[Command]] = &[
    system::COMMANDS,
    diag::COMMANDS,
    netstack::COMMANDS,
    interface::COMMANDS,
    interface_ip::COMMANDS,
    nic::COMMANDS,
    vm::COMMANDS,
    vswitch::COMMANDS,
    portgroup::COMMANDS,
    policy::COMMANDS,
];

/// In every release the simulator knows.
const ALWAYS: Release = Release(5, 0);

/// An option that must be given.
const fn req(short: char, long: &'static str, kind: Kind, help: &'static str) -> Opt {
    Opt { short: Some(short), long, kind, required: true, help }
}

/// An option that may be given.
const fn opt(short: char, long: &'static str, kind: Kind, help: &'static str) -> Opt {
    Opt { short: Some(short), long, kind, required: false, help }
}
