//! Many hosts as one group: what is common once, what differs as values, uplink roles and overrides.
//!
//! Owns: the choice between these. Nothing is lost: filled in for a host, the group's network says of it what its
//! description says (inherited settings all hosts have are not repeated). Must not: know hosts beyond their
//! descriptions. Called by the import verb.

use super::describe::Description;
use super::roles::Roles;
use model::{HostId, NetstackName, VmkName, VmnicName};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of objects in the order they are worked through: switches first, so that roles are named after them.
const KINDS: [&str; 5] = ["vswitches", "port_groups", "vmkernels", "nics", "netstacks"];
/// Fields of objects that are one choice: they differ as a whole.
const CHOICES: [&str; 4] = ["ipv4", "static", "shaping", "link"];
/// Depth of a path that names an object: kind and name.
const OBJECT_DEPTH: usize = 2;

/// What one host's document says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostPart {
    /// Uplink roles.
    pub uplinks: BTreeMap<String, VmnicName>,
    /// Values.
    pub values: BTreeMap<String, Value>,
    /// Overrides: path and value, both with `${` escaped.
    pub overrides: Vec<(Vec<String>, Value)>,
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The group's network with variables.
    pub template: Value,
    /// Its hosts.
    pub hosts: BTreeMap<HostId, HostPart>,
}

type Members<'a> = BTreeMap<&'a HostId, &'a Value>;

/// Folds descriptions into a group. `Err` when one cannot be written as a document.
pub fn fold(descriptions: &BTreeMap<HostId, Description>) -> Result<Folded, serde_json::Error> {
    let mut networks = BTreeMap::new();
    for (host, description) in descriptions {
        networks.insert(host, serde_json::to_value(&description.network)?);
    }
    let mut folder = Folder {
        descriptions,
        parts: descriptions.keys().map(|host| (host.clone(), HostPart::default())).collect(),
        roles: Roles::default(),
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
    let mut folded = Folded { template: Value::Object(template), hosts: folder.parts };
    for (role, nics) in folder.roles.into_named() {
        for (host, nic) in nics {
            folded.hosts.entry(host).or_default().uplinks.insert(role.clone(), nic);
        }
    }
    trim(&mut folded);
    Ok(folded)
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

struct Folder<'a> {
    descriptions: &'a BTreeMap<HostId, Description>,
    parts: BTreeMap<HostId, HostPart>,
    roles: Roles,
    /// Names of values given out.
    keys: BTreeSet<String>,
}

impl Folder<'_> {
    /// The template for what `members` have at `path`.
    fn node(&mut self, path: &[String], members: &Members<'_>) -> Value {
        let objects: Vec<&Map<String, Value>> =
            members.values().filter_map(|value| value.as_object()).collect();
        let choice =
            path.len() > OBJECT_DEPTH && path.last().is_some_and(|key| CHOICES.contains(&key.as_str()));
        let same_keys = objects.windows(2).all(|pair| matches!(pair, [a, b] if a.keys().eq(b.keys())));
        if objects.len() < members.len() || (choice && !same_keys) {
            return self.leaf(path, members);
        }
        let keys: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
        let mut out = Map::new();
        for key in keys {
            let inner: Vec<String> = path.iter().chain([key]).cloned().collect();
            let has: Members<'_> =
                members.iter().filter_map(|(host, value)| Some((*host, value.get(key)?))).collect();
            if has.len() == members.len() {
                out.insert(escape(key), self.node(&inner, &has));
                continue;
            }
            let without: Vec<&HostId> =
                members.keys().filter(|host| !has.contains_key(*host)).copied().collect();
            if without.len() < has.len() && self.may_be_absent(&inner, &without) {
                out.insert(escape(key), self.node(&inner, &has));
                for host in without {
                    self.put(host, &inner, json!({ "absent": true }));
                }
            } else {
                for (host, value) in has {
                    if !is_usual_nic(&inner, value) {
                        self.put(host, &inner, escaped(value));
                    }
                }
            }
        }
        Value::Object(out)
    }

    /// Whether the object at `path` can be declared absent on these hosts.
    fn may_be_absent(&self, path: &[String], hosts: &[&HostId]) -> bool {
        let [kind, name] = path else { return false };
        match kind.as_str() {
            "vswitches" | "port_groups" => true,
            "netstacks" => name != NetstackName::DEFAULT,
            "vmkernels" => VmkName::new(name.as_str()).is_ok_and(|vmk| {
                let left_out =
                    |host: &&HostId| self.descriptions.get(*host).is_some_and(|d| d.left_out.contains(&vmk));
                vmk.number() != 0 && !hosts.iter().any(left_out)
            }),
            _ => false,
        }
    }

    fn put(&mut self, host: &HostId, path: &[String], value: Value) {
        self.parts.entry(host.clone()).or_default().overrides.push((path.to_vec(), value));
    }

    /// One value: literal when all have it, else roles of NICs or a value per host.
    fn leaf(&mut self, path: &[String], members: &Members<'_>) -> Value {
        let mut values = members.values();
        let first = values.next().copied().unwrap_or(&Value::Null);
        if values.all(|value| *value == first) && !is_of_the_host(path, first) {
            return escaped(first);
        }
        if let Some(roles) = nic_lists(path, members).and_then(|lists| self.roles.assign(&lists)) {
            return roles.into_iter().map(|role| Value::String(format!("${{uplink.{role}}}"))).collect();
        }
        let key = self.key(path);
        for (host, value) in members {
            let part = self.parts.entry((*host).clone()).or_default();
            part.values.insert(key.clone(), (*value).clone());
        }
        Value::String(format!("${{host.{key}}}"))
    }

    /// A free name for the value at `path`, e.g. `vmk1_ip`.
    fn key(&mut self, path: &[String]) -> String {
        let words: Vec<String> = match path {
            [_, vmk, rest @ ..] if is_address(rest) => vec![vmk.clone(), "ip".to_owned()],
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

/// The NICs of a list of NICs, per host.
fn nic_lists<'a>(path: &[String], members: &Members<'a>) -> Option<BTreeMap<&'a HostId, Vec<VmnicName>>> {
    let list = path.last()?.as_str();
    if path.len() <= OBJECT_DEPTH || !matches!(list, "uplinks" | "active" | "standby") {
        return None;
    }
    let nics = |value: &Value| -> Option<Vec<VmnicName>> {
        value.as_array()?.iter().map(|nic| VmnicName::new(nic.as_str()?).ok()).collect()
    };
    members.iter().map(|(host, value)| Some((*host, nics(value)?))).collect()
}

/// Text that reads as itself in a template.
pub fn escape(text: &str) -> String {
    text.replace("${", "$${")
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

/// Takes out `inherit` where every host says so: what is not written is left alone. Security stays, because a setting
/// that is opened by hand there has to show up as drift.
fn trim(folded: &mut Folded) {
    let paths: BTreeSet<Vec<String>> =
        folded.hosts.values().flat_map(|part| part.overrides.iter().map(|(path, _)| path.clone())).collect();
    let groups = folded.template.get_mut("port_groups").and_then(Value::as_object_mut);
    for (name, group) in groups.into_iter().flatten() {
        let into_teaming = paths.iter().any(|path| {
            matches!(path.as_slice(), [kind, object, field, ..]
                if kind == "port_groups" && escape(object) == *name && field == "teaming")
        });
        trim_port_group(group, into_teaming.then_some(Keep::Teaming));
    }
    for (path, value) in folded.hosts.values_mut().flat_map(|part| &mut part.overrides) {
        if matches!(path.as_slice(), [kind, _] if kind == "port_groups") {
            trim_port_group(value, None);
        }
    }
}

/// What has to stay in a port group even when it is empty.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Teaming,
}

fn trim_port_group(group: &mut Value, keep: Option<Keep>) {
    let Some(group) = group.as_object_mut() else { return };
    let is_inherit = |value: &Value| value.as_str() == Some("inherit");
    if let Some(teaming) = group.get_mut("teaming").and_then(Value::as_object_mut) {
        teaming.retain(|_, value| !is_inherit(value));
    }
    if keep != Some(Keep::Teaming) {
        group.retain(|key, value| key != "teaming" || !is_empty(value));
    }
    group.retain(|key, value| key != "shaping" || !is_inherit(value));
}
