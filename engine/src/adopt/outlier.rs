//! Outliers: where a host is unlike most of its group, with the likely cause in a person's words.
//!
//! Owns: the causes and their sentences. Must not: decide what is written (`fold` did). Called by `files`.

use super::files::pointer;
use super::fold::{Deviation, Folded};
use super::unknown::unknown;
use crate::documents::near::nearest;
use model::{HostId, Ipv4Cidr, ObservedIpv4, ObservedNetwork, VmkName};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest value shown in a sentence, in characters.
const SHOWN_CHARS_MAX: usize = 60;
/// A subnet is the usual one when at least this many of four hosts are in it.
const SUBNET_OF_FOUR_MIN: usize = 3;

/// The likely cause of an outlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An object that most hosts have is missing.
    MissingObject,
    /// An object that most hosts have not got.
    ExtraObject,
    /// An object that is there under another name.
    OtherName,
    /// Another VLAN.
    Vlan,
    /// Another MTU.
    Mtu,
    /// An uplink too many.
    ExtraUplink,
    /// An uplink too few.
    MissingUplink,
    /// Other uplinks than the others.
    OtherUplinks,
    /// Another order of active and standby uplinks.
    FailoverOrder,
    /// NICs that are called otherwise; a role stands for them.
    NicNames,
    /// The address comes from elsewhere (static, DHCP, none).
    AddressKind,
    /// An address outside the subnet of the others.
    Subnet,
    /// Other routes or gateways.
    Routes,
    /// Other DNS servers or search domains.
    Dns,
    /// Other services on an adapter.
    Services,
    /// Another security, teaming or shaping policy.
    Policy,
    /// Another setting of a physical NIC.
    NicSetting,
    /// Something else is not as usual.
    OtherValue,
    /// A fact that was not read: it stays unmanaged.
    Unreadable,
}

impl Cause {
    /// The word for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingObject => "missing_object",
            Self::ExtraObject => "extra_object",
            Self::OtherName => "other_name",
            Self::Vlan => "vlan",
            Self::Mtu => "mtu",
            Self::ExtraUplink => "extra_uplink",
            Self::MissingUplink => "missing_uplink",
            Self::OtherUplinks => "other_uplinks",
            Self::FailoverOrder => "failover_order",
            Self::NicNames => "nic_names",
            Self::AddressKind => "address_kind",
            Self::Subnet => "subnet",
            Self::Routes => "routes",
            Self::Dns => "dns",
            Self::Services => "services",
            Self::Policy => "policy",
            Self::NicSetting => "nic_setting",
            Self::OtherValue => "other_value",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Hosts that are unlike most of their group at one place, in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlier {
    /// Why, probably.
    pub cause: Cause,
    /// Where in the group's network, as a JSON Pointer.
    pub path: String,
    /// What these hosts have.
    pub here: Option<Value>,
    /// What most hosts have.
    pub usual: Option<Value>,
    /// The hosts.
    pub hosts: Vec<HostId>,
    /// Hosts that are as usual.
    pub usual_hosts: usize,
    /// Hosts that were compared.
    pub of_hosts: usize,
    /// All of it as a sentence.
    pub text: String,
}

/// Finds the outliers of a folded group, most hosts last: what one host has alone is the likelier mistake.
pub(super) fn outliers(folded: &Folded, observed: &BTreeMap<HostId, &ObservedNetwork>) -> Vec<Outlier> {
    let mut found = Vec::new();
    for (host, part) in &folded.hosts {
        for deviation in part.overrides.iter().filter(|deviation| !deviation.value.is_null()) {
            found.push(one(host, deviation, &part.overrides));
        }
    }
    found.extend(nic_names(folded));
    found.extend(subnets(observed));
    found.extend(unreadable(observed));
    let mut merged: BTreeMap<(String, Cause, String), Outlier> = BTreeMap::new();
    for outlier in found {
        let key = (outlier.path.clone(), outlier.cause, outlier.text.clone());
        match merged.get_mut(&key) {
            Some(known) => known.hosts.extend(outlier.hosts),
            None => {
                merged.insert(key, outlier);
            }
        }
    }
    let mut out: Vec<Outlier> = merged.into_values().collect();
    out.sort_by_key(|outlier| outlier.hosts.len());
    out
}

fn one(host: &HostId, deviation: &Deviation, all: &[Deviation]) -> Outlier {
    let Deviation { path, here, usual, usual_hosts, hosts, .. } = deviation;
    let (cause, what) = cause(deviation, all);
    let like = |verb: &str, value: &str| match (usual_hosts, value) {
        (1, _) => format!("1 of {hosts} hosts has {value}"),
        _ => format!("{usual_hosts} of {hosts} hosts {verb} {value}"),
    };
    let text = match (cause, here, usual) {
        (Cause::OtherName, ..) => what,
        (_, None, _) => format!("{what} is missing; {}", like("have", "it")),
        (_, Some(_), None) if path.len() == super::fold::OBJECT_DEPTH => {
            format!("{what} is there; {}", like("have", "none"))
        }
        (_, Some(here), None) => format!("{what}: {}; {}", shown(here), like("have", "none")),
        (_, Some(here), Some(usual)) => format!("{what}: {}; {}", shown(here), like("have", &shown(usual))),
    };
    Outlier {
        cause,
        path: pointer(path),
        here: here.clone(),
        usual: usual.clone(),
        hosts: vec![host.clone()],
        usual_hosts: *usual_hosts,
        of_hosts: *hosts,
        text,
    }
}

/// The cause, and the words for what it is about.
fn cause(deviation: &Deviation, all: &[Deviation]) -> (Cause, String) {
    let [kind, name, rest @ ..] = deviation.path.as_slice() else {
        return (Cause::OtherValue, pointer(&deviation.path));
    };
    let object = object(kind, name);
    let fields: Vec<&str> = rest.iter().map(String::as_str).collect();
    let words = |text: &str| format!("{text} of {object}");
    match (kind.as_str(), fields.as_slice()) {
        (_, []) => presence(deviation, all, kind, name, object),
        (_, ["vlan"]) => (Cause::Vlan, words("VLAN")),
        (_, ["mtu"]) => (Cause::Mtu, words("MTU")),
        ("vswitches", ["uplinks"]) => (uplinks(deviation), words("uplinks")),
        (_, ["teaming", "uplinks", ..]) => (Cause::FailoverOrder, words("failover order")),
        (_, ["teaming" | "security" | "shaping", ..]) => (Cause::Policy, words(&fields.join(" "))),
        (_, ["ipv4", "static", "gateway"]) => (Cause::Routes, words("gateway")),
        (_, ["ipv4" | "ipv6", ..]) => (Cause::AddressKind, words(&fields.join(" "))),
        (_, ["services"]) => (Cause::Services, words("services")),
        (_, ["routes", ..]) => (Cause::Routes, words("routes")),
        (_, ["dns_servers" | "dns_search"]) => (Cause::Dns, words(&fields.join(" "))),
        ("nics", _) => (Cause::NicSetting, words(&fields.join(" "))),
        _ => (Cause::OtherValue, words(&fields.join(" "))),
    }
}

fn object(kind: &str, name: &str) -> String {
    let word = match kind {
        "vswitches" => "switch",
        "port_groups" => "port group",
        "vmkernels" => "adapter",
        "nics" => "NIC",
        _ => "netstack",
    };
    format!("{word} `{name}`")
}

/// A whole object: missing, surplus, or under another name.
fn presence(
    deviation: &Deviation,
    all: &[Deviation],
    kind: &str,
    name: &str,
    object: String,
) -> (Cause, String) {
    let Some(here) = &deviation.here else { return (Cause::MissingObject, object) };
    if kind == "nics" {
        return (Cause::NicSetting, object);
    }
    let missing = all.iter().filter_map(|other| match (other.path.as_slice(), &other.usual, &other.here) {
        ([of_kind, other], Some(usual), None) if of_kind == kind => Some((other.as_str(), usual)),
        _ => None,
    });
    let place = |value: &Value| (value.get("vswitch").cloned(), value.get("vlan").cloned());
    let same_place = |usual: &Value| kind == "port_groups" && place(usual) == place(here);
    let mut twin = missing.filter(|(other, usual)| same_place(usual) || nearest(name, [*other]).is_some());
    match twin.next() {
        Some((other, _)) => (Cause::OtherName, format!("{object} is probably `{other}` under another name")),
        None => (Cause::ExtraObject, object),
    }
}

fn uplinks(deviation: &Deviation) -> Cause {
    let count = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
    match count(&deviation.here).cmp(&count(&deviation.usual)) {
        std::cmp::Ordering::Greater => Cause::ExtraUplink,
        std::cmp::Ordering::Less => Cause::MissingUplink,
        std::cmp::Ordering::Equal => Cause::OtherUplinks,
    }
}

/// A value in few characters.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key} {}", shown(value))).collect::<Vec<_>>().join(", ")
        }
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return text;
    }
    let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{short}...")
}

fn nic_names(folded: &Folded) -> impl Iterator<Item = Outlier> {
    folded.other_names.iter().map(|other| {
        let list =
            |nics: &[model::VmnicName]| Value::from(nics.iter().map(ToString::to_string).collect::<Vec<_>>());
        let (here, usual) = (list(&other.here), list(&other.usual));
        let text = format!(
            "NICs of switch `{}` are called {}; {} of {} hosts have {}",
            other.vswitch,
            shown(&here),
            other.usual_hosts,
            other.hosts,
            shown(&usual)
        );
        Outlier {
            cause: Cause::NicNames,
            path: pointer(&["vswitches".to_owned(), other.vswitch.to_string(), "uplinks".to_owned()]),
            here: Some(here),
            usual: Some(usual),
            hosts: vec![other.host.clone()],
            usual_hosts: other.usual_hosts,
            of_hosts: other.hosts,
            text,
        }
    })
}

/// A host with an address.
type Addressed<'a> = (&'a HostId, Ipv4Cidr);

/// Addresses outside the subnet that an adapter has on nearly all hosts.
fn subnets(observed: &BTreeMap<HostId, &ObservedNetwork>) -> Vec<Outlier> {
    let mut by_vmk: BTreeMap<&VmkName, BTreeMap<Ipv4Cidr, Vec<Addressed<'_>>>> = BTreeMap::new();
    for (host, observed) in observed {
        for (vmk, found) in observed.vmkernels.read().into_iter().flatten() {
            if let Some(ObservedIpv4::Static { address, .. }) = found.ipv4.read() {
                by_vmk.entry(vmk).or_default().entry(address.network()).or_default().push((host, *address));
            }
        }
    }
    let mut out = Vec::new();
    for (vmk, subnets) in by_vmk {
        let hosts: usize = subnets.values().map(Vec::len).sum();
        let most = subnets.iter().max_by_key(|(_, members)| members.len());
        let Some((usual, members)) =
            most.filter(|(_, members)| members.len() * 4 >= hosts * SUBNET_OF_FOUR_MIN)
        else {
            continue;
        };
        for (host, address) in subnets.iter().filter(|(subnet, _)| *subnet != usual).flat_map(|(_, m)| m) {
            let subnet = address.network();
            let text =
                format!("`{vmk}` is in subnet {subnet}; {} of {hosts} hosts are in {usual}", members.len());
            let path = ["vmkernels", vmk.as_str(), "ipv4", "static", "address"].map(str::to_owned);
            out.push(Outlier {
                cause: Cause::Subnet,
                path: pointer(&path),
                here: Some(Value::String(subnet.to_string())),
                usual: Some(Value::String(usual.to_string())),
                hosts: vec![(*host).clone()],
                usual_hosts: members.len(),
                of_hosts: hosts,
                text,
            });
        }
    }
    out
}

fn unreadable(observed: &BTreeMap<HostId, &ObservedNetwork>) -> Vec<Outlier> {
    let mut out = Vec::new();
    for (host, of_host) in observed {
        for fact in unknown(of_host) {
            let what = match fact.path.as_slice() {
                [kind, name, field] => format!("{field} of {}", object(kind, name)),
                _ => "physical NICs".to_owned(),
            };
            out.push(Outlier {
                cause: Cause::Unreadable,
                path: pointer(&fact.path),
                here: None,
                usual: None,
                hosts: vec![host.clone()],
                usual_hosts: 0,
                of_hosts: observed.len(),
                text: format!("{what} could not be read ({}) and stays unmanaged", fact.reason),
            });
        }
    }
    out
}
