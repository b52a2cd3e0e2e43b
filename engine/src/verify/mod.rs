//! Verification: what is still different from what should be, field by field.
//!
//! Owns: the meaning of "as desired" and of "as before". Must not: decide what to do about it.
//! Called by the agent after applying and for drift, by the coordinator for drift and import.

mod images;

pub use images::compare_images;

use crate::merge::merge;
use crate::plan::{ipv4_is, link_is};
use model::{
    Component, DesiredIpv6, DesiredNetstack, DesiredNetwork, DesiredNic, DesiredPortGroup, DesiredSecurity,
    DesiredTeaming, DesiredVmk, DesiredVswitch, Difference, DifferenceKind, InheritedField, Known,
    ObjectKind, ObservedNetstack, ObservedNetwork, ObservedNic, ObservedPortGroup, ObservedVmk,
    ObservedVswitch, Presence, RouteSetting, Setting, VmkAttachment, VmnicName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Collects differences of one object.
struct Object<'a> {
    component: Component,
    name: &'a dyn Display,
    out: &'a mut Vec<Difference>,
}

impl Object<'_> {
    fn push(&mut self, field: &str, kind: DifferenceKind, desired: String, observed: String) {
        self.out.push(Difference {
            component: self.component,
            object: self.name.to_string(),
            field: field.to_owned(),
            kind,
            desired,
            observed,
        });
    }

    fn changed(&mut self, field: &str, desired: String, observed: String) {
        self.push(field, DifferenceKind::Changed, desired, observed);
    }

    /// Compares a wanted value with a fact; nothing wanted means nothing to compare.
    fn field<T: PartialEq + serde::Serialize>(&mut self, field: &str, wanted: Option<&T>, fact: &Known<T>) {
        if let (Some(wanted), Some(now)) = (wanted, self.fact(field, wanted.is_some(), fact))
            && wanted != now
        {
            self.changed(field, text(wanted), text(now));
        }
    }

    /// The fact when it was read; an unreadable one that is asked for is reported.
    fn fact<'f, T>(&mut self, field: &str, asked: bool, fact: &'f Known<T>) -> Option<&'f T> {
        if let (true, Some(reason)) = (asked, fact.reason()) {
            self.push(field, DifferenceKind::Unreadable, String::new(), reason.to_owned());
        }
        fact.read()
    }

    fn plain<T: PartialEq + serde::Serialize>(&mut self, field: &str, wanted: Option<&T>, now: &T) {
        if let Some(wanted) = wanted
            && wanted != now
        {
            self.changed(field, text(wanted), text(now));
        }
    }

    fn setting<T: PartialEq + serde::Serialize>(
        &mut self,
        field: &str,
        wanted: Option<&Setting<T>>,
        now: &InheritedField<T>,
    ) {
        match (wanted, now) {
            (None, _) | (Some(Setting::Inherit), InheritedField::Inherited(_)) => {}
            (Some(Setting::Value(next)), InheritedField::Own(value)) if next == value => {}
            (Some(wanted), InheritedField::Own(value)) => self.changed(field, text(wanted), text(value)),
            (Some(wanted), InheritedField::Inherited(_)) => {
                self.changed(field, text(wanted), "inherit".to_owned())
            }
        }
    }
}

/// A value as people write it in documents.
pub(crate) fn text<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Everything in which `observed` is not as `desired`; empty means it is.
///
/// Surplus objects of fully managed kinds are reported too, pruned or not.
#[must_use]
pub fn verify(desired: &DesiredNetwork, observed: &ObservedNetwork) -> Vec<Difference> {
    let pruning = (!desired.managed.is_empty()).then(|| DesiredNetwork { prune: true, ..desired.clone() });
    let wanted = merge(pruning.as_ref().unwrap_or(desired), observed).for_apply;
    let mut out = Vec::new();
    kind(&mut out, Component::Vswitch, &wanted.vswitches, &observed.vswitches, vswitch);
    kind(&mut out, Component::PortGroup, &wanted.port_groups, &observed.port_groups, port_group);
    kind(&mut out, Component::Vmk, &wanted.vmkernels, &observed.vmkernels, vmk);
    kind(&mut out, Component::Netstack, &wanted.netstacks, &observed.netstacks, netstack);
    nics(&mut out, &wanted.nics, &observed.nics);
    unread_kinds(&mut out, desired, observed);
    out.sort();
    out.dedup();
    out
}

/// Like [`verify`], for the state right after a plan was run from `before`.
///
/// Surplus that the document does not ask to prune is none of the plan's business, and what the plan kept because
/// the management path hung on it is no difference yet, even when the path has moved on: it is surplus for the next
/// plan, and drift until then.
#[must_use]
pub fn verify_applied(
    desired: &DesiredNetwork,
    before: &ObservedNetwork,
    after: &ObservedNetwork,
) -> Vec<Difference> {
    let mut wanted = merge(desired, before).for_apply.into_owned();
    wanted.managed.clear();
    verify(&wanted, after)
}

/// A kind that is managed in full but could not be read is unknown, not clean.
fn unread_kinds(out: &mut Vec<Difference>, desired: &DesiredNetwork, observed: &ObservedNetwork) {
    let reasons = [
        (ObjectKind::Vswitches, Component::Vswitch, observed.vswitches.reason()),
        (ObjectKind::PortGroups, Component::PortGroup, observed.port_groups.reason()),
        (ObjectKind::Vmkernels, Component::Vmk, observed.vmkernels.reason()),
        (ObjectKind::Netstacks, Component::Netstack, observed.netstacks.reason()),
    ];
    for (kind, component, reason) in reasons {
        if let (true, Some(reason)) = (desired.is_full(kind), reason) {
            let mut object = Object { component, name: &"all", out };
            object.push("list", DifferenceKind::Unreadable, String::new(), reason.to_owned());
        }
    }
}

fn kind<K: Ord + Display, D, O>(
    out: &mut Vec<Difference>,
    component: Component,
    wanted: &BTreeMap<K, Presence<D>>,
    observed: &Known<BTreeMap<K, O>>,
    compare: impl Fn(&mut Object, &D, &O),
) {
    for (name, presence) in wanted {
        let mut object = Object { component, name, out };
        let found = match observed {
            Known::Unreadable { reason } => {
                object.push("list", DifferenceKind::Unreadable, String::new(), reason.clone());
                continue;
            }
            Known::Read(found) => found.get(name),
        };
        match (presence, found) {
            (Presence::Present(_), None) => {
                object.push("", DifferenceKind::Missing, String::new(), String::new())
            }
            (Presence::Absent, Some(_)) => {
                object.push("", DifferenceKind::Surplus, String::new(), String::new())
            }
            (Presence::Absent, None) => {}
            (Presence::Present(wanted), Some(found)) => compare(&mut object, wanted, found),
        }
    }
}

fn vswitch(object: &mut Object, wanted: &DesiredVswitch, found: &ObservedVswitch) {
    let DesiredVswitch { mtu, cdp, uplinks, teaming, security, shaping } = wanted;
    object.field("mtu", mtu.as_ref(), &found.mtu);
    object.field("cdp", cdp.as_ref(), &found.cdp);
    let uplinks: Option<BTreeSet<VmnicName>> = uplinks.as_ref().map(|list| list.iter().cloned().collect());
    object.field("uplinks", uplinks.as_ref(), &found.uplinks);
    if let (Some(wanted), Some(now)) = (teaming, object.fact("teaming", teaming.is_some(), &found.teaming)) {
        let DesiredTeaming { load_balancing, failure_detection, notify_switches, failback, uplinks } = wanted;
        object.plain("teaming.load_balancing", load_balancing.as_ref(), &now.load_balancing);
        object.plain("teaming.failure_detection", failure_detection.as_ref(), &now.failure_detection);
        object.plain("teaming.notify_switches", notify_switches.as_ref(), &now.notify_switches);
        object.plain("teaming.failback", failback.as_ref(), &now.failback);
        object.plain("teaming.uplinks", uplinks.as_ref(), &now.uplinks);
    }
    if let (Some(wanted), Some(now)) =
        (security, object.fact("security", security.is_some(), &found.security))
    {
        let DesiredSecurity { allow_promiscuous, allow_mac_change, allow_forged_transmits } = wanted;
        object.plain("security.allow_promiscuous", allow_promiscuous.as_ref(), &now.allow_promiscuous);
        object.plain("security.allow_mac_change", allow_mac_change.as_ref(), &now.allow_mac_change);
        object.plain(
            "security.allow_forged_transmits",
            allow_forged_transmits.as_ref(),
            &now.allow_forged_transmits,
        );
    }
    object.field("shaping", shaping.as_ref(), &found.shaping);
}

fn port_group(object: &mut Object, wanted: &DesiredPortGroup, found: &ObservedPortGroup) {
    let DesiredPortGroup { vswitch, vlan, teaming, security, shaping } = wanted;
    object.plain("vswitch", vswitch.as_ref(), &found.vswitch);
    object.field("vlan", vlan.as_ref(), &found.vlan);
    if let (Some(wanted), Some(now)) = (teaming, object.fact("teaming", teaming.is_some(), &found.teaming)) {
        object.setting("teaming.load_balancing", wanted.load_balancing.as_ref(), &now.load_balancing);
        object.setting(
            "teaming.failure_detection",
            wanted.failure_detection.as_ref(),
            &now.failure_detection,
        );
        object.setting("teaming.notify_switches", wanted.notify_switches.as_ref(), &now.notify_switches);
        object.setting("teaming.failback", wanted.failback.as_ref(), &now.failback);
        object.setting("teaming.uplinks", wanted.uplinks.as_ref(), &now.uplinks);
    }
    if let (Some(wanted), Some(now)) =
        (security, object.fact("security", security.is_some(), &found.security))
    {
        object.setting(
            "security.allow_promiscuous",
            wanted.allow_promiscuous.as_ref(),
            &now.allow_promiscuous,
        );
        object.setting("security.allow_mac_change", wanted.allow_mac_change.as_ref(), &now.allow_mac_change);
        let forged = wanted.allow_forged_transmits.as_ref();
        object.setting("security.allow_forged_transmits", forged, &now.allow_forged_transmits);
    }
    if let Some(now) = object.fact("shaping", shaping.is_some(), &found.shaping) {
        object.setting("shaping", shaping.as_ref(), now);
    }
}

fn vmk(object: &mut Object, wanted: &DesiredVmk, found: &ObservedVmk) {
    let DesiredVmk { port_group, netstack, mtu, mac, enabled, ipv4, ipv6, services } = wanted;
    match &found.attachment {
        VmkAttachment::PortGroup(group) => object.plain("port_group", port_group.as_ref(), group),
        VmkAttachment::Distributed(name) => {
            if let Some(group) = port_group {
                object.changed("port_group", group.to_string(), format!("distributed switch {name}"));
            }
        }
    }
    object.plain("netstack", netstack.as_ref(), &found.netstack);
    object.field("mtu", mtu.as_ref(), &found.mtu);
    object.field("mac", mac.as_ref(), &found.mac);
    object.plain("enabled", enabled.as_ref(), &found.enabled);
    if let (Some(wanted), Some(now)) = (ipv4, object.fact("ipv4", ipv4.is_some(), &found.ipv4))
        && !ipv4_is(wanted, now)
    {
        object.changed("ipv4", text(wanted), text(now));
    }
    if let (Some(wanted), Some(now)) = (ipv6, object.fact("ipv6", ipv6.is_some(), &found.ipv6)) {
        let DesiredIpv6 { dhcp, router_advertisements, addresses } = wanted;
        object.plain("ipv6.dhcp", dhcp.as_ref(), &now.dhcp);
        object.plain(
            "ipv6.router_advertisements",
            router_advertisements.as_ref(),
            &now.router_advertisements,
        );
        object.plain("ipv6.addresses", addresses.as_ref(), &now.addresses);
    }
    object.field("services", services.as_ref(), &found.services);
}

fn netstack(object: &mut Object, wanted: &DesiredNetstack, found: &ObservedNetstack) {
    let DesiredNetstack { routes, dns_servers, dns_search } = wanted;
    if let Some(now) = object.fact("routes", !routes.is_empty(), &found.routes) {
        for (network, setting) in routes {
            let via = now.iter().find(|route| route.network == *network && route.gateway.is_some());
            let via = via.and_then(|route| route.gateway);
            let next = match setting {
                RouteSetting::Via(gateway) => Some(*gateway),
                RouteSetting::Absent => None,
            };
            if via != next {
                let is = via.map_or_else(|| "absent".to_owned(), |gateway| gateway.to_string());
                object.changed(&format!("routes.{network}"), text(setting), is);
            }
        }
    }
    object.field("dns_servers", dns_servers.as_ref(), &found.dns_servers);
    object.field("dns_search", dns_search.as_ref(), &found.dns_search);
}

fn nics(
    out: &mut Vec<Difference>,
    wanted: &BTreeMap<VmnicName, DesiredNic>,
    observed: &Known<BTreeMap<VmnicName, ObservedNic>>,
) {
    for (name, wanted) in wanted {
        let mut object = Object { component: Component::Vmnic, name, out };
        let found = match observed {
            Known::Unreadable { reason } => {
                object.push("list", DifferenceKind::Unreadable, String::new(), reason.clone());
                continue;
            }
            Known::Read(found) => found.get(name),
        };
        let Some(found) = found else {
            object.push("", DifferenceKind::Missing, String::new(), String::new());
            continue;
        };
        let DesiredNic { pci, mac, admin, link } = wanted;
        object.plain("pci", pci.as_ref(), &found.pci);
        object.field("mac", mac.as_ref(), &found.mac);
        object.field("admin", admin.as_ref(), &found.admin);
        if let (Some(wanted), Some(auto)) =
            (link, object.fact("link", link.is_some(), &found.auto_negotiation))
            && !link_is(*wanted, *auto, found)
        {
            let mode = if *auto { "auto" } else { "fixed" };
            object.changed("link", text(wanted), format!("{mode} {} Mbit/s", found.speed_mbps));
        }
    }
}

#[cfg(test)]
mod tests;
