//! The command table: one declaration per command, from which parsing, help and `esxcli command list` come.
//!
//! Owns: the shape of a declaration and the lookup. Must not: hold behaviour (see `commands`).

use super::args::{Args, Opt};
use super::commands;
use super::value::Document;
use crate::host::{Host, Release};
use crate::network::Fault;

/// What a command does to the host.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Reads only.
    Read(fn(&Host, &Args) -> Result<Document, Fault>),
    /// Changes the running configuration; prints nothing when it worked.
    Write(fn(&mut Host, &Args) -> Result<(), Fault>),
}

/// One command.
#[derive(Debug, Clone, Copy)]
pub struct Command {
    /// Namespaces and verb, separated by blanks.
    pub path: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Options, in the order of the help.
    pub opts: &'static [Opt],
    /// First release that has it.
    pub since: Release,
    /// Behaviour.
    pub action: Action,
}

impl Command {
    /// The last word of the path.
    pub fn verb(&self) -> &'static str {
        self.path.rsplit(' ').next().unwrap_or(self.path)
    }

    /// Whether this host has the command.
    pub fn on(&self, host: &Host) -> bool {
        host.facts.release() >= self.since
            && !host.quirks.missing_commands.iter().any(|path| path == self.path)
    }
}

/// Help of the namespaces.
pub const NAMESPACES: &[(&str, &str)] = &[
    (
        "esxcli",
        "Commands that operate on the esxcli system itself allowing users to get additional information.",
    ),
    ("esxcli command", "Operations that can be performed on the system esxcli commands"),
    ("hardware", "VMKernel hardware properties and commands for configuring hardware."),
    ("hardware platform", "Platform information."),
    ("network", "Operations that pertain to the maintenance of networking on an ESX host."),
    ("network diag", "Operations pertaining to network diagnostics"),
    ("network ip", "Operations that can be performed on vmknics"),
    ("network ip dns", "Operations pertaining to Domain Name Server configuration."),
    ("network ip dns search", "Operations pertaining to DNS search domain configuration."),
    ("network ip dns server", "Operations pertaining to DNS servers"),
    (
        "network ip interface",
        "Operations having to do with the creation, management and deletion of VMkernel network interfaces (vmknic).",
    ),
    ("network ip interface ipv4", "IPv4 operations that can be performed on VMkernel network interfaces"),
    ("network ip interface ipv6", "IPv6 operations that can be performed on VMkernel network interfaces"),
    ("network ip interface tag", "Operations pertaining to interface tags"),
    ("network ip netstack", "Operations having to do with the configuration of network stack instances"),
    ("network ip route", "Operations pertaining to route configuration"),
    ("network nic", "Operations having to do with the configuration of Network Interface Card"),
    ("network vm", "A set of commands for accessing information about a VM's network settings"),
    ("network vswitch", "Commands to list and manipulate Virtual Switches on an ESX host."),
    ("network vswitch dvs", "Commands to retrieve Distributed Virtual Switch information"),
    ("network vswitch standard", "Commands to list and manipulate Legacy Virtual Switches on an ESX host."),
    (
        "network vswitch standard policy",
        "Commands to manipulate network policy settings governing the given switch.",
    ),
    ("network vswitch standard portgroup", "Commands to list and manipulate Port Groups on an ESX host."),
    (
        "network vswitch standard portgroup policy",
        "Commands to list and modify network policy settings governing a port group",
    ),
    ("network vswitch standard uplink", "Commands to add and remove uplink on given virtual switch."),
    (
        "system",
        "VMKernel system properties and commands for configuring properties of the kernel core system.",
    ),
];

/// Every command of the simulator, on any release.
pub fn all() -> impl Iterator<Item = &'static Command> {
    commands::FAMILIES.iter().flat_map(|family| family.iter())
}

/// What a sequence of words names.
pub enum Lookup<'a> {
    /// A command and its options.
    Command(&'static Command, &'a [&'a str]),
    /// A namespace, complete.
    Namespace(String),
    /// Neither; the words as given.
    Unknown(String),
}

/// Finds the command the words begin with; `has` says which commands exist.
pub fn lookup<'a>(words: &'a [&'a str], has: impl Fn(&Command) -> bool) -> Lookup<'a> {
    let named = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
    let path = words[..named].join(" ");
    if let Some(command) = all().find(|command| command.path == path && has(command)) {
        return Lookup::Command(command, &words[named..]);
    }
    let below =
        |c: &Command| c.path.strip_prefix(&path).is_some_and(|rest| rest.starts_with(' ') || named == 0);
    let is_namespace = all().any(|c| has(c) && below(c));
    if is_namespace && named == words.len() { Lookup::Namespace(path) } else { Lookup::Unknown(path) }
}
