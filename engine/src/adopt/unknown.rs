//! Facts of a host that were not read: named for people, never turned into desired state.
//!
//! Owns: the list of such facts with the place a document would have them at. Must not: describe what was read
//! (`describe` does). Called by `files` and `mine`.

use model::{Known, ObservedNetwork, VmnicName};
use std::collections::BTreeSet;

/// One fact that was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// Where a network document would have it.
    pub path: Vec<String>,
    /// Why it was not read.
    pub reason: String,
}

/// The facts a document could hold and the host did not tell. Lists without which nothing can be said are not here:
/// `describe` refuses the host then.
#[must_use]
pub fn unknown(observed: &ObservedNetwork) -> Vec<Unknown> {
    let mut out = Vec::new();
    let mut uplinks: BTreeSet<&VmnicName> = BTreeSet::new();
    for (name, found) in observed.vswitches.read().into_iter().flatten() {
        let mut at = Collector { out: &mut out, object: ["vswitches", name.as_str()] };
        at.fact("mtu", &found.mtu);
        at.fact("cdp", &found.cdp);
        at.fact("uplinks", &found.uplinks);
        at.fact("teaming", &found.teaming);
        at.fact("security", &found.security);
        at.fact("shaping", &found.shaping);
        uplinks.extend(found.uplinks.read().into_iter().flatten());
    }
    for (name, found) in observed.port_groups.read().into_iter().flatten() {
        let mut at = Collector { out: &mut out, object: ["port_groups", name.as_str()] };
        at.fact("vlan", &found.vlan);
        at.fact("teaming", &found.teaming);
        at.fact("security", &found.security);
        at.fact("shaping", &found.shaping);
    }
    for (name, found) in observed.vmkernels.read().into_iter().flatten() {
        let mut at = Collector { out: &mut out, object: ["vmkernels", name.as_str()] };
        at.fact("mtu", &found.mtu);
        at.fact("ipv4", &found.ipv4);
        at.fact("ipv6", &found.ipv6);
        at.fact("services", &found.services);
    }
    for (name, found) in observed.netstacks.read().into_iter().flatten() {
        let mut at = Collector { out: &mut out, object: ["netstacks", name.as_str()] };
        at.fact("routes", &found.routes);
        at.fact("dns_servers", &found.dns_servers);
        at.fact("dns_search", &found.dns_search);
    }
    if let Some(reason) = observed.nics.reason() {
        out.push(Unknown { path: vec!["nics".to_owned()], reason: reason.to_owned() });
    }
    for (name, found) in observed.nics.read().into_iter().flatten().filter(|(nic, _)| uplinks.contains(nic)) {
        let mut at = Collector { out: &mut out, object: ["nics", name.as_str()] };
        at.fact("admin", &found.admin);
        at.fact("link", &found.auto_negotiation);
    }
    out
}

struct Collector<'a> {
    out: &'a mut Vec<Unknown>,
    object: [&'a str; 2],
}

impl Collector<'_> {
    fn fact<T>(&mut self, field: &str, fact: &Known<T>) {
        if let Some(reason) = fact.reason() {
            let [kind, name] = self.object;
            let path = [kind, name, field].map(str::to_owned).into();
            self.out.push(Unknown { path, reason: reason.to_owned() });
        }
    }
}
