//! Uplink roles: one name for "the same NIC" of hosts that count their NICs differently.
//!
//! Owns: which NICs of the hosts of a group belong together, and the names of the roles. A NIC of the same name is the
//! same NIC; the others of a switch are paired in the order of its failover policy. Must not: know where else the NICs
//! are used. Called by `fold` and, for the report, `outlier`.

use model::{DesiredNetwork, HostId, Presence, VmnicName, VswitchName};
use std::collections::{BTreeMap, BTreeSet};

/// Hosts that name a NIC of a switch unlike the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherNames {
    /// The host.
    pub host: HostId,
    /// The switch.
    pub vswitch: VswitchName,
    /// The uplinks of this host, in the order of the usual ones.
    pub here: Vec<VmnicName>,
    /// The uplinks most hosts have.
    pub usual: Vec<VmnicName>,
    /// Hosts with the usual ones.
    pub usual_hosts: usize,
    /// Hosts that have the switch.
    pub hosts: usize,
}

/// The roles of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Roles {
    /// Role of a NIC, by host.
    of: BTreeMap<HostId, BTreeMap<VmnicName, String>>,
    /// Hosts with other names.
    pub other_names: Vec<OtherNames>,
}

impl Roles {
    /// Finds the roles of these hosts. Switches whose NICs have the same names everywhere need none.
    pub fn find(networks: &BTreeMap<&HostId, &DesiredNetwork>) -> Self {
        let mut roles = Self::default();
        let mut given = 0;
        let switches: BTreeSet<&VswitchName> = networks.values().flat_map(|n| n.vswitches.keys()).collect();
        for switch in switches {
            let lists: BTreeMap<&HostId, &Vec<VmnicName>> = networks
                .iter()
                .filter_map(|(host, network)| {
                    let fields = network.vswitches.get(switch).and_then(Presence::present)?;
                    Some((*host, fields.uplinks.as_ref()?))
                })
                .collect();
            roles.switch(switch, &lists, &mut given);
        }
        roles
    }

    fn switch(
        &mut self,
        switch: &VswitchName,
        lists: &BTreeMap<&HostId, &Vec<VmnicName>>,
        given: &mut usize,
    ) {
        let Some(usual) = most_common(lists.values().copied()) else { return };
        let names: BTreeSet<&VmnicName> = usual.iter().collect();
        let usual_hosts = lists.values().filter(|list| list.iter().collect::<BTreeSet<_>>() == names).count();
        let mut pairs = BTreeMap::new();
        for (host, list) in lists {
            let paired = pair(usual, list);
            // A NIC too many or too few is a difference; other names are not.
            if list.len() == usual.len()
                && paired.iter().zip(usual).any(|(here, usual)| here.as_ref() != Some(usual))
            {
                self.other_names.push(OtherNames {
                    host: (*host).clone(),
                    vswitch: switch.clone(),
                    here: paired.iter().flatten().cloned().collect(),
                    usual: usual.clone(),
                    usual_hosts,
                    hosts: lists.len(),
                });
            }
            pairs.insert(*host, paired);
        }
        if self.other_names.iter().all(|other| other.vswitch != *switch) {
            return;
        }
        let first = *given;
        *given += usual.len();
        for (host, paired) in pairs {
            let of = self.of.entry(host.clone()).or_default();
            for (place, nic) in paired.into_iter().enumerate() {
                if let Some(nic) = nic {
                    of.insert(nic, name(first + place));
                }
            }
        }
    }

    /// The role of a NIC of a host.
    pub fn role(&self, host: &HostId, nic: &str) -> Option<&str> {
        let found = self.of.get(host)?.iter().find(|(name, _)| name.as_str() == nic);
        found.map(|(_, role)| role.as_str())
    }

    /// The NIC of each role, by host.
    pub fn into_maps(self) -> impl Iterator<Item = (HostId, BTreeMap<String, VmnicName>)> {
        self.of
            .into_iter()
            .map(|(host, nics)| (host, nics.into_iter().map(|(nic, role)| (role, nic)).collect()))
    }
}

/// The list that most have; among equally many the first one.
fn most_common<'a>(lists: impl Iterator<Item = &'a Vec<VmnicName>>) -> Option<&'a Vec<VmnicName>> {
    let mut counts: BTreeMap<&Vec<VmnicName>, usize> = BTreeMap::new();
    for list in lists.filter(|list| !list.is_empty()) {
        *counts.entry(list).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(list, _)| list)
}

/// The NIC of `list` for each of `usual`: the one of the same name, else the next that is left.
fn pair(usual: &[VmnicName], list: &[VmnicName]) -> Vec<Option<VmnicName>> {
    let mut left = list.iter().filter(|nic| !usual.contains(nic));
    usual.iter().map(|nic| if list.contains(nic) { Some(nic) } else { left.next() }.cloned()).collect()
}

/// `a` to `z`, then `u26` and so on.
fn name(at: usize) -> String {
    match u8::try_from(at) {
        Ok(letter) if letter < 26 => char::from(b'a' + letter).to_string(),
        _ => format!("u{at}"),
    }
}
