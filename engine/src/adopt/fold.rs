//! Many hosts as one group: what is common once, what differs as values, uplink roles and overrides.
//!
//! Owns: the choice between these. What more than half of the hosts have stands in the group's network and the others
//! declare an override; where no such majority is, and for addresses, every host has a value. Nothing is lost: filled
//! in for a host, the group's network says of it what its description says (inherited settings all hosts have are not
//! repeated). Must not: know hosts beyond their descriptions. Called by `files`.

use super::describe::Description;
use super::subnets::Subnets;
use super::trim::trim;
use super::uplinks::{OtherNames, Roles};
use crate::documents::template::escape;
use model::{HostId, NetstackName, VmkName, VmnicName};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of objects in the order they are worked through.
const KINDS: [&str; 5] = ["vswitches", "port_groups", "vmkernels", "nics", "netstacks"];
/// Fields of objects that are one choice: they differ as a whole.
const CHOICES: [&str; 4] = ["ipv4", "static", "shaping", "link"];
/// Depth of a path that names an object: kind and name.
pub(super) const OBJECT_DEPTH: usize = 2;

/// What one host's document says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostPart {
    /// Uplink roles.
    pub uplinks: BTreeMap<String, VmnicName>,
    /// Values.
    pub values: BTreeMap<String, Value>,
    /// Overrides, their values with `${` escaped.
    pub overrides: Vec<Deviation>,
}

/// A place where a host is unlike most of its group.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// Where, in the group's network; not escaped.
    pub path: Vec<String>,
    /// What an override has to say, with `${` escaped.
    pub value: Value,
    /// What the host has; `None` when it has not got it, or did not tell.
    pub here: Option<Value>,
    /// What most others have; `None` when they have not got it, or every other host has something else.
    pub usual: Option<Value>,
    /// Hosts that are as usual.
    pub usual_hosts: usize,
    /// Hosts that were compared.
    pub hosts: usize,
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The group's network with variables.
    pub template: Value,
    /// Its hosts.
    pub hosts: BTreeMap<HostId, HostPart>,
    /// Hosts that name their NICs unlike most.
    pub other_names: Vec<OtherNames>,
}

type Members<'a> = BTreeMap<&'a HostId, &'a Value>;

/// Folds descriptions into a group. `Err` when one cannot be written as a document.
///
/// The work grows with the number of facts of all hosts together.
pub fn fold(descriptions: &BTreeMap<&HostId, &Description>) -> Result<Folded, serde_json::Error> {
    let mut networks = BTreeMap::new();
    for (host, description) in descriptions {
        networks.insert(*host, serde_json::to_value(&description.network)?);
    }
    let typed = descriptions.iter().map(|(host, description)| (*host, &description.network)).collect();
    let mut folder = Folder {
        descriptions,
        parts: descriptions.keys().map(|host| ((*host).clone(), HostPart::default())).collect(),
        roles: Roles::find(&typed),
        subnets: descriptions.iter().map(|(host, d)| (*host, Subnets::of(&d.network))).collect(),
        keys: BTreeSet::from(["name".to_owned()]),
    };
    let mut template = Map::new();
    for kind in KINDS {
        let empty = Value::Object(Map::new());
        let members: Members<'_> =
            networks.iter().map(|(host, network)| (*host, network.get(kind).unwrap_or(&empty))).collect();
        if members.values().any(|objects| !is_empty(objects)) {
            template.insert(kind.to_owned(), folder.node(&[kind.to_owned()], &members));
        }
    }
    let other_names = std::mem::take(&mut folder.roles.other_names);
    let mut folded = Folded { template: Value::Object(template), hosts: folder.parts, other_names };
    for (host, uplinks) in folder.roles.into_maps() {
        folded.hosts.entry(host).or_default().uplinks = uplinks;
    }
    trim(&mut folded);
    Ok(folded)
}

pub(super) fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

struct Folder<'a> {
    descriptions: &'a BTreeMap<&'a HostId, &'a Description>,
    parts: BTreeMap<HostId, HostPart>,
    roles: Roles,
    subnets: BTreeMap<&'a HostId, Subnets>,
    /// Names of values given out.
    keys: BTreeSet<String>,
}

/// What can be compared at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// A map whose fields are compared one by one, and for a choice which fields there are.
    Map(Vec<String>),
    /// Something else.
    Scalar,
}

impl Folder<'_> {
    /// The template for what `members` have at `path`.
    fn node(&mut self, path: &[String], members: &Members<'_>) -> Value {
        if is_whole(path)
            && let Some(most) = self.usual(path, members)
        {
            return most;
        }
        let forms = classes(members, |_, value| form(path, value));
        let Some((form, most)) = majority(&forms, members.len()) else { return self.leaf(path, members) };
        let usual: Members<'_> =
            most.iter().filter_map(|host| members.get_key_value(host).map(|(h, v)| (*h, *v))).collect();
        let others: Vec<&HostId> =
            members.keys().filter(|host| !usual.contains_key(*host)).copied().collect();
        let like = usual.values().next().copied();
        for host in others {
            self.deviate(path, members, host, like, usual.len());
        }
        match form {
            Form::Map(_) => self.map(path, &usual),
            Form::Scalar => self.leaf(path, &usual),
        }
    }

    fn map(&mut self, path: &[String], members: &Members<'_>) -> Value {
        let keys: BTreeSet<&String> =
            members.values().filter_map(|value| value.as_object()).flat_map(Map::keys).collect();
        let mut out = Map::new();
        for key in keys {
            let inner: Vec<String> = path.iter().chain([key]).cloned().collect();
            let has: Members<'_> =
                members.iter().filter_map(|(host, value)| Some((*host, value.get(key)?))).collect();
            let without: Vec<&HostId> =
                members.keys().filter(|host| !has.contains_key(*host)).copied().collect();
            if without.is_empty() {
                out.insert(escape(key), self.node(&inner, &has));
                continue;
            }
            let like = has.values().next().copied();
            match self.lack(&inner, &without).filter(|_| without.len() < has.len()) {
                Some(lack) => {
                    out.insert(escape(key), self.node(&inner, &has));
                    for host in &without {
                        let deviation = Deviation {
                            path: inner.clone(),
                            value: lack.clone(),
                            here: None,
                            usual: like.cloned(),
                            usual_hosts: has.len(),
                            hosts: members.len(),
                        };
                        self.put(host, deviation);
                    }
                }
                None => {
                    for (host, value) in has.iter().filter(|(_, value)| !is_usual_nic(&inner, value)) {
                        let deviation = Deviation {
                            path: inner.clone(),
                            value: escaped(value),
                            here: Some((*value).clone()),
                            usual: None,
                            usual_hosts: without.len(),
                            hosts: members.len(),
                        };
                        self.put(host, deviation);
                    }
                }
            }
        }
        Value::Object(out)
    }

    /// What an override says of hosts that have nothing at `path`: that the object is absent, or that the field is left
    /// alone (it could not be read, or documents cannot say it). `None` when neither can be said.
    fn lack(&self, path: &[String], hosts: &[&HostId]) -> Option<Value> {
        let [kind, name, rest @ ..] = path else { return None };
        if let [field, inner @ ..] = rest {
            // A route that is not named is left alone, so that all routes of the host are named instead.
            return match (field.as_str(), inner) {
                ("routes", []) => Some(json!({})),
                ("routes", _) => None,
                _ => Some(Value::Null),
            };
        }
        let may_be_absent = match kind.as_str() {
            "vswitches" | "port_groups" => true,
            "netstacks" => name != NetstackName::DEFAULT,
            "vmkernels" => VmkName::new(name.as_str()).is_ok_and(|vmk| {
                let left_out =
                    |host: &&HostId| self.descriptions.get(*host).is_some_and(|d| d.left_out.contains(&vmk));
                vmk.number() != 0 && !hosts.iter().any(left_out)
            }),
            _ => false,
        };
        may_be_absent.then(|| json!({ "absent": true }))
    }

    fn put(&mut self, host: &HostId, deviation: Deviation) {
        self.parts.entry(host.clone()).or_default().overrides.push(deviation);
    }

    fn deviate(
        &mut self,
        path: &[String],
        members: &Members<'_>,
        host: &HostId,
        usual: Option<&Value>,
        usual_hosts: usize,
    ) {
        let Some(here) = members.get(host) else { return };
        let deviation = Deviation {
            path: path.to_vec(),
            value: escaped(here),
            here: Some((*here).clone()),
            usual: usual.cloned(),
            usual_hosts,
            hosts: members.len(),
        };
        self.put(host, deviation);
    }

    /// One value: that of most hosts, else a value per host.
    fn leaf(&mut self, path: &[String], members: &Members<'_>) -> Value {
        if let Some(most) = self.usual(path, members) {
            return most;
        }
        let key = self.key(path);
        for (host, value) in members {
            let part = self.parts.entry((*host).clone()).or_default();
            part.values.insert(key.clone(), (*value).clone());
        }
        Value::String(format!("${{host.{key}}}"))
    }

    /// What more than half of the hosts have at `path`, as template; the others get overrides.
    fn usual(&mut self, path: &[String], members: &Members<'_>) -> Option<Value> {
        if is_gateway(path) && self.moves_with_host(members) {
            return None;
        }
        let values = classes(members, |host, value| {
            let mut shown = self.in_roles(host, path, value);
            // The uplinks of a switch are a set.
            if let (["vswitches", _, "uplinks"], Value::Array(nics)) = (as_strs(path).as_slice(), &mut shown)
            {
                nics.sort_by_key(Value::to_string);
            }
            shown.to_string()
        });
        let (_, most) = majority(&values, members.len())?;
        let first = most.first().copied()?;
        let usual = members.get(first).copied()?;
        if is_of_the_host(path, usual) {
            return None;
        }
        let template = self.in_roles(first, path, usual);
        let usual_hosts = most.len();
        let most: BTreeSet<&HostId> = most.iter().copied().collect();
        let others: Vec<&HostId> = members.keys().filter(|host| !most.contains(*host)).copied().collect();
        for host in others {
            self.deviate(path, members, host, Some(usual), usual_hosts);
        }
        Some(template)
    }

    /// Whether most hosts have the same gateways as seen from their own subnets, and yet not the same ones.
    fn moves_with_host(&self, members: &Members<'_>) -> bool {
        let none = Subnets::default();
        let seen = classes(members, |host, value| {
            self.subnets.get(host).unwrap_or(&none).relative(value).to_string()
        });
        let Some((_, most)) = majority(&seen, members.len()) else { return false };
        let mut values = most.iter().filter_map(|host| members.get(host));
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// A value as template text, its NICs as roles where they have some.
    fn in_roles(&self, host: &HostId, path: &[String], value: &Value) -> Value {
        if !is_order(path) {
            return escaped(value);
        }
        match value {
            Value::String(nic) => match self.roles.role(host, nic) {
                Some(role) => Value::String(format!("${{uplink.{role}}}")),
                None => Value::String(escape(nic)),
            },
            Value::Array(items) => items.iter().map(|item| self.in_roles(host, path, item)).collect(),
            Value::Object(map) => {
                let inner = map.iter().map(|(key, value)| (escape(key), self.in_roles(host, path, value)));
                Value::Object(inner.collect())
            }
            other => other.clone(),
        }
    }

    /// A free name for the value at `path`, e.g. `vmk1_ip`.
    fn key(&mut self, path: &[String]) -> String {
        let words: Vec<String> = match path {
            [_, vmk, rest @ ..] if is_address(rest) => vec![vmk.clone(), "ip".to_owned()],
            [_, vmk, .., last] if is_gateway(path) && last == "gateway" => vec![vmk.clone(), last.clone()],
            [_, _, routes, network] if routes == "routes" => vec![network.clone(), "gateway".to_owned()],
            [_, rest @ ..] => rest.to_vec(),
            [] => Vec::new(),
        };
        let mut stem = String::new();
        for c in words.join("_").chars() {
            match c {
                c if c.is_ascii_alphanumeric() => stem.push(c.to_ascii_lowercase()),
                _ if stem.ends_with('_') => {}
                _ => stem.push('_'),
            }
        }
        let numbered = (2_u32..).map(|n| format!("{stem}_{n}"));
        let free = std::iter::once(stem.clone()).chain(numbered).find(|key| !self.keys.contains(key));
        let key = free.unwrap_or(stem);
        self.keys.insert(key.clone());
        key
    }
}

fn as_strs(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// Hosts by what `of` says of them, in order of name.
fn classes<'a, K: Ord>(
    members: &Members<'a>,
    of: impl Fn(&HostId, &Value) -> K,
) -> BTreeMap<K, Vec<&'a HostId>> {
    let mut out: BTreeMap<K, Vec<&HostId>> = BTreeMap::new();
    for (host, value) in members {
        out.entry(of(host, value)).or_default().push(host);
    }
    out
}

/// The class that holds more than half of `count` hosts.
fn majority<K, V>(classes: &BTreeMap<K, Vec<V>>, count: usize) -> Option<(&K, &Vec<V>)> {
    classes.iter().find(|(_, hosts)| hosts.len() * 2 > count)
}

fn form(path: &[String], value: &Value) -> Form {
    match value.as_object() {
        Some(map) if is_choice(path) => Form::Map(map.keys().cloned().collect()),
        Some(_) => Form::Map(Vec::new()),
        None => Form::Scalar,
    }
}

fn is_choice(path: &[String]) -> bool {
    path.len() > OBJECT_DEPTH && path.last().is_some_and(|key| CHOICES.contains(&key.as_str()))
}

/// Whether a map here is compared as one value when hosts are compared.
pub(super) fn is_whole_field(path: &[String]) -> bool {
    is_whole(path) || is_choice(path)
}

/// Whether what is here is a list of NICs or lists of them.
fn is_order(path: &[String]) -> bool {
    path.len() > OBJECT_DEPTH
        && matches!(path.last().map(String::as_str), Some("uplinks" | "active" | "standby"))
}

/// Whether a map here is overridden as a whole: failover orders, and routes, where what is not named is left alone.
fn is_whole(path: &[String]) -> bool {
    match path {
        [kind, _, field] if kind == "netstacks" => field == "routes",
        [_, _, teaming, order] => teaming == "teaming" && order == "uplinks",
        _ => false,
    }
}

/// Whether what is here is a gateway, or a map of gateways.
fn is_gateway(path: &[String]) -> bool {
    matches!(
        as_strs(path).as_slice(),
        ["vmkernels", _, "ipv4", "static", "gateway"]
            | ["netstacks", _, "routes"]
            | ["netstacks", _, "routes", _]
    )
}

fn is_address(rest: &[String]) -> bool {
    matches!(rest, [ipv4, fixed, address] if ipv4 == "ipv4" && fixed == "static" && address == "address")
}

/// Whether a value belongs to the host even when all hosts have the same, or there is only one.
fn is_of_the_host(path: &[String], value: &Value) -> bool {
    match path {
        [kind, _, rest @ ..] if kind == "vmkernels" => {
            let ipv6 = matches!(rest, [ipv6, list] if ipv6 == "ipv6" && list == "addresses");
            is_address(rest) || (ipv6 && value.as_array().is_some_and(|list| !list.is_empty()))
        }
        _ => false,
    }
}

/// A NIC that only some hosts use as an uplink and that nobody set up: not worth a word.
fn is_usual_nic(path: &[String], value: &Value) -> bool {
    matches!(path, [kind, _] if kind == "nics") && *value == json!({ "admin": "up", "link": "auto" })
}

fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(escape(text)),
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (escape(key), escaped(value))).collect())
        }
        other => other.clone(),
    }
}
