//! Structure of a resolved network: what contradicts itself whatever the host looks like.
//!
//! Owns: the structural rules. Must not: look at observed state. Called by `resolve` per host.

mod policies;

use super::{Seen, is_absent};
use crate::documents::rules;
use model::{
    Component, DesiredNetwork, DesiredPortGroup, DesiredVmk, DesiredVswitch, Finding, Ipv4Config,
    NetstackName, ObjectKind, PortGroupName, Presence, SiteDocument, Vlan, VmkName, VswitchName,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Longest standard switch name a document may use, in characters.
const VSWITCH_NAME_CHARS_MAX: usize = 31;

/// Checks one host's network; findings get their place from `seen`.
pub(super) fn check(
    network: &DesiredNetwork,
    site: &SiteDocument,
    seen: &Seen<'_>,
    findings: &mut Vec<Finding>,
) {
    let mut checker = Checker { network, site, seen, findings };
    checker.vswitches();
    checker.port_groups();
    checker.vmkernels();
}

struct Checker<'a> {
    network: &'a DesiredNetwork,
    site: &'a SiteDocument,
    seen: &'a Seen<'a>,
    findings: &'a mut Vec<Finding>,
}

/// The objects of a map that should be there.
fn present<K, T>(map: &BTreeMap<K, Presence<T>>) -> impl Iterator<Item = (&K, &T)> {
    map.iter().filter_map(|(name, fields)| fields.present().map(|fields| (name, fields)))
}

impl<'a> Checker<'a> {
    fn error(&mut self, rule: &str, component: Component, path: &[&str], message: String, hint: &str) {
        self.push(Finding::error(rule, component, message), path, hint);
    }

    fn warning(&mut self, rule: &str, component: Component, path: &[&str], message: String, hint: &str) {
        self.push(Finding::warning(rule, component, message), path, hint);
    }

    fn push(&mut self, finding: Finding, path: &[&str], hint: &str) {
        let object = path.iter().take(2).copied().collect::<Vec<_>>().join("/");
        self.findings.push(finding.at(self.seen.span(path)).about(object, "").hint(hint));
    }

    fn switch(&self, name: &VswitchName) -> Option<&'a DesiredVswitch> {
        self.network.vswitches.get(name).and_then(Presence::present)
    }

    fn switch_of(&self, group: &DesiredPortGroup) -> Option<(&'a VswitchName, &'a DesiredVswitch)> {
        let (name, fields) = self.network.vswitches.get_key_value(group.vswitch.as_ref()?)?;
        fields.present().map(|fields| (name, fields))
    }

    fn vswitches(&mut self) {
        let network = self.network;
        let mut owners = BTreeMap::new();
        for (name, fields) in present(&network.vswitches) {
            let text = name.as_str();
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
            if text.len() > VSWITCH_NAME_CHARS_MAX || !text.bytes().all(plain) {
                let message = format!("standard switch name `{name}` is not usable");
                let hint = "use 1 to 31 of A-Z a-z 0-9 _ . -";
                self.error(rules::VSWITCH_NAME, Component::Vswitch, &["vswitches", text], message, hint);
            }
            let path = ["vswitches", text, "uplinks"];
            for nic in fields.uplinks.iter().flatten() {
                let Some(owner) = owners.insert(nic, text) else { continue };
                let (rule, message) = if owner == text {
                    (rules::UPLINK_TWICE, format!("`{nic}` is listed twice in the uplinks of `{name}`"))
                } else {
                    (rules::UPLINK_ON_TWO, format!("`{nic}` is an uplink of `{owner}` and of `{name}`"))
                };
                self.error(rule, Component::Vswitch, &path, message, "keep one of them");
            }
            self.switch_policies(name, fields);
        }
    }

    fn port_groups(&mut self) {
        let network = self.network;
        let reserved = self.site.vlans.as_ref().map_or(&[][..], |vlans| &vlans.reserved);
        for (name, fields) in present(&network.port_groups) {
            let text = name.as_str();
            if text.contains(',') {
                let message =
                    format!("port group name `{name}` holds a comma, which separates names in lists");
                let path = ["port_groups", text];
                self.error(
                    rules::PORT_GROUP_NAME,
                    Component::PortGroup,
                    &path,
                    message,
                    "choose another name",
                );
            }
            if let Some(switch) = &fields.vswitch {
                let surplus =
                    network.is_full(ObjectKind::Vswitches) && !network.vswitches.contains_key(switch);
                if surplus || is_absent(&network.vswitches, switch) {
                    let message =
                        format!("port group `{name}` is on switch `{switch}`, which should not be there");
                    let hint = "keep the switch, or name another one";
                    let path = ["port_groups", text, "vswitch"];
                    self.error(rules::VSWITCH_ABSENT, Component::PortGroup, &path, message, hint);
                }
            }
            if let Some(Vlan::Tagged(vlan)) = fields.vlan
                && reserved.contains(&vlan)
            {
                let message =
                    format!("port group `{name}` uses VLAN {}, which this site reserves", vlan.get());
                let hint = "choose another VLAN; `vlans.reserved` is in pointsman.yaml";
                let path = ["port_groups", text, "vlan"];
                self.error(rules::VLAN_RESERVED, Component::PortGroup, &path, message, hint);
            }
            self.port_group_policies(name, fields);
        }
    }

    fn vmkernels(&mut self) {
        let network = self.network;
        if network.vmkernels.iter().any(|(n, v)| n.number() == 0 && matches!(v, Presence::Absent)) {
            let message =
                "`vmk0` cannot be removed: it is the adapter the host was installed with".to_owned();
            let hint = "move its services to another adapter and disable it";
            self.error(rules::VMK0_ABSENT, Component::Vmk, &["vmkernels", "vmk0"], message, hint);
        }
        let mut groups: BTreeMap<&PortGroupName, &VmkName> = BTreeMap::new();
        let mut addresses: BTreeMap<Ipv4Addr, &VmkName> = BTreeMap::new();
        for (name, fields) in present(&network.vmkernels) {
            if let Some(group) = &fields.port_group {
                if let Some(other) = groups.insert(group, name) {
                    let message = format!("`{other}` and `{name}` are both on port group `{group}`");
                    let path = ["vmkernels", name.as_str(), "port_group"];
                    let hint = "a port group of a standard switch holds one adapter: add another port group";
                    self.error(rules::PORT_GROUP_SHARED, Component::Vmk, &path, message, hint);
                }
                self.vmk_on(name, fields, group);
            }
            if let Some(netstack) = &fields.netstack {
                self.vmk_netstack(name, netstack);
            }
            if let Some(Ipv4Config::Static { address, gateway }) = &fields.ipv4 {
                let path = ["vmkernels", name.as_str(), "ipv4", "static", "address"];
                if let Some(other) = addresses.insert(address.address(), name) {
                    let message =
                        format!("`{other}` and `{name}` both have the address {}", address.address());
                    let hint = "give one of them another address";
                    self.error(rules::ADDRESS_TWICE, Component::Vmk, &path, message, hint);
                }
                if let Some(gateway) = gateway.filter(|gateway| !address.contains(*gateway)) {
                    let message =
                        format!("gateway {gateway} of `{name}` is not in its subnet {}", address.network());
                    let path = ["vmkernels", name.as_str(), "ipv4", "static", "gateway"];
                    let hint = "use a gateway of the same subnet";
                    self.error(rules::GATEWAY_OUTSIDE, Component::Vmk, &path, message, hint);
                }
            }
        }
    }

    fn vmk_on(&mut self, name: &VmkName, fields: &DesiredVmk, group: &PortGroupName) {
        let network = self.network;
        let surplus = network.is_full(ObjectKind::PortGroups) && !network.port_groups.contains_key(group);
        if surplus || is_absent(&network.port_groups, group) {
            let message = format!("`{name}` is on port group `{group}`, which should not be there");
            let path = ["vmkernels", name.as_str(), "port_group"];
            let hint = "keep the port group, or name another one";
            self.error(rules::PORT_GROUP_ABSENT, Component::Vmk, &path, message, hint);
        }
        let on = network.port_groups.get(group).and_then(Presence::present);
        let Some((switch, switch_fields)) = on.and_then(|on| self.switch_of(on)) else { return };
        if let (Some(mtu), Some(limit)) = (fields.mtu, switch_fields.mtu)
            && mtu > limit
        {
            let message = format!("`{name}` has MTU {mtu}, its switch `{switch}` only {limit}");
            let path = ["vmkernels", name.as_str(), "mtu"];
            let hint = "raise the MTU of the switch or lower this one";
            self.error(rules::MTU_ABOVE_SWITCH, Component::Vmk, &path, message, hint);
        }
    }

    fn vmk_netstack(&mut self, name: &VmkName, netstack: &NetstackName) {
        let path = ["vmkernels", name.as_str(), "netstack"];
        match self.network.netstacks.get(netstack) {
            Some(Presence::Absent) => {
                let message = format!("`{name}` is on netstack `{netstack}`, which should not be there");
                let hint = "keep the netstack, or name another one";
                self.error(rules::NETSTACK_UNDECLARED, Component::Vmk, &path, message, hint);
            }
            None if !netstack.is_default() => {
                let message =
                    format!("`{name}` is on netstack `{netstack}`, which this document does not declare");
                let hint =
                    format!("add it below `netstacks` (`{netstack}: {{}}`), so that it is made when missing");
                self.warning(rules::NETSTACK_UNDECLARED, Component::Vmk, &path, message, &hint);
            }
            Some(Presence::Present(_)) | None => {}
        }
    }
}
