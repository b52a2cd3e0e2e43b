//! One simulated ESXi host: facts, running and saved configuration, boots.
//!
//! Owns: what happens to the whole host (auto-backup, reboot, release quirks). Must not: touch files (see `store`).
//! Called by the binaries, by `store` and by tests of other crates.

use crate::cli;
use crate::fabric::Fabric;
use crate::network::{MTU_MAX_DEFAULT, Network, Security};
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a program wrote and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit status.
    pub exit_code: i32,
}

/// What the host is, apart from its network.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Version, e.g. `8.0.3`.
    pub version: String,
    /// Build number.
    pub build: String,
    /// Update number.
    pub update: u32,
    /// Patch number.
    pub patch: u32,
    /// System UUID as text.
    pub uuid: String,
    /// Hardware vendor.
    pub vendor: String,
    /// Hardware model.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Rack it stands in; only for people and fleet tests.
    pub rack: String,
}

/// A release of ESXi as major and minor number, for differences between releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32, pub u32);

impl Facts {
    /// Major and minor number of the version; 8.0 when it cannot be read.
    #[must_use]
    pub fn release(&self) -> Release {
        let mut numbers = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        match (numbers.next(), numbers.next()) {
            (Some(major), minor) if major > 0 => Release(major, minor.unwrap_or(0)),
            _ => Release(8, 0),
        }
    }
}

/// This boot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Boot {
    /// Changes with every boot.
    pub id: String,
    /// How many boots so far.
    pub count: u64,
    /// Wall clock at the start of this boot, microseconds since 1970.
    pub started_unix_us: u64,
}

/// A powered-on virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vm {
    /// Name.
    pub name: String,
    /// World id.
    pub world_id: i64,
    /// Port group of each virtual NIC.
    pub networks: Vec<String>,
}

/// A distributed switch, read only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dvs {
    /// Name.
    pub name: String,
    /// Identity as vCenter writes it.
    pub id: String,
    /// MTU in bytes.
    pub mtu: u32,
    /// Uplinks.
    pub uplinks: Vec<String>,
}

/// Ways in which one host differs from its release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// `--formatter=json` works without `--debug`.
    pub json_without_debug: bool,
    /// `--formatter=json` is refused even with `--debug`.
    pub no_json: bool,
    /// Commands this host does not have, as space-separated paths.
    pub missing_commands: Vec<String>,
}

/// One simulated host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// What it is.
    pub facts: Facts,
    /// This boot.
    pub boot: Boot,
    /// What it differs in.
    pub quirks: Quirks,
    /// Latency of every esxcli call, milliseconds.
    pub latency_ms: u64,
    /// Powered-on machines.
    pub vms: Vec<Vm>,
    /// Distributed switches.
    pub dvs: Vec<Dvs>,
    /// Configuration in force.
    pub running: Network,
    /// Configuration of the last auto-backup: what the next boot starts with.
    pub saved: Network,
    /// The physical network around the host; kept in a file of its own.
    #[serde(skip)]
    pub fabric: Fabric,
    /// Other hosts on the same physical network that a ping may be for; empty for a host on its own.
    #[serde(skip)]
    pub neighbours: Vec<Host>,
}

impl Host {
    /// A host with this network, saved and running, on its first boot.
    #[must_use]
    pub fn new(facts: Facts, mut network: Network) -> Self {
        if network.mtu_max == 0 {
            network.mtu_max = if facts.release() >= Release(8, 0) { 9190 } else { MTU_MAX_DEFAULT };
        }
        network.netstacks.entry(crate::network::DEFAULT_NETSTACK.to_owned()).or_default();
        let mut host = Self { facts, saved: network.clone(), running: network, ..Self::default() };
        host.start_boot();
        host
    }

    /// Runs `esxcli` with these arguments (without the program name).
    pub fn run<S: AsRef<str>>(&mut self, argv: &[S]) -> Output {
        let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
        cli::run(self, &argv)
    }

    /// Whether these arguments name a command that changes the host.
    #[must_use]
    pub fn is_write<S: AsRef<str>>(argv: &[S]) -> bool {
        let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
        cli::is_write(&argv)
    }

    /// `auto-backup.sh`: the running configuration survives the next boot.
    pub fn auto_backup(&mut self) {
        self.saved = self.running.clone();
    }

    /// Power cut and boot: back to the saved configuration, NICs administratively up.
    pub fn reboot(&mut self) {
        self.running = self.saved.clone();
        for nic in self.running.nics.values_mut() {
            nic.admin_up = true;
        }
        self.start_boot();
    }

    fn start_boot(&mut self) {
        self.boot.count += 1;
        self.boot.started_unix_us = now_unix_us();
        self.boot.id = format!("{}-{:06}", self.facts.uuid, self.boot.count);
    }

    /// Microseconds since this boot.
    #[must_use]
    pub fn uptime_us(&self) -> u64 {
        now_unix_us().saturating_sub(self.boot.started_unix_us)
    }

    /// Whether a NIC has link: plugged into a port that is up, and not taken down on the host.
    #[must_use]
    pub fn link_up(&self, vmnic: &str) -> bool {
        let Some(nic) = self.running.nics.get(vmnic) else { return false };
        let cable = self.fabric.ports.get(vmnic).map_or(nic.link_up, |port| port.link_up);
        nic.admin_up && cable
    }

    /// Names of the port groups that powered-on machines use.
    #[must_use]
    pub fn port_groups_of_vms(&self) -> Vec<String> {
        self.vms.iter().flat_map(|vm| vm.networks.iter().cloned()).collect()
    }

    /// Security policy of a new switch: open up to 6.x, closed from 7.0.
    #[must_use]
    pub fn new_switch_security(&self) -> Security {
        let open = self.facts.release() < Release(7, 0);
        Security { promiscuous: false, mac_change: open, forged: open }
    }
}

fn now_unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
