//! Mutants as readable files: one file per rule below `cases`, each case a change of clean fleets and what must be found.
//!
//! Paths begin with `after` or `before` (first host), `peer` (second host), `all` (every host), `site`, or are `canary`
//! or `max_parallel`. `{net.ROLE}` stands for the first three bytes of a role's subnet, `{vlan.ROLE}` for its VLAN.

use crate::archetypes::{World, number, vlan};
use engine::documents::{de, parse_network, parse_repository, yaml};
use engine::plan::plan;
use engine::project::project;
use engine::resolve::resolve_all;
use model::{Component, Finding, Operation, Plan, Step};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One edit; `to` is the value, or the path of a copy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    set: Option<String>,
    add: Option<String>,
    copy: Option<String>,
    remove: Option<String>,
    to: Option<Value>,
}

/// One mutant, or one per clean fleet it starts from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub title: String,
    /// Archetypes; none for documents.
    #[serde(default)]
    pub start: Vec<String>,
    #[serde(default)]
    change: Vec<Edit>,
    /// Steps on the first host; `after` is what they lead to.
    #[serde(default)]
    plan: Vec<Value>,
    /// Steps on every host.
    #[serde(default)]
    plan_all: Vec<Value>,
    /// Files over the repository `tests/documents/base`, for rules that documents alone decide.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// A network document that is planned, for rules of the planner.
    desired: Option<String>,
    /// The id the finding has, when another rule speaks for this one.
    #[serde(rename = "as")]
    pub told_as: Option<String>,
    /// The object of the finding; empty for host, group or plan.
    #[serde(default)]
    pub expect: String,
}

/// All cases with the rule they belong to.
pub fn cases() -> Vec<(String, Vec<Case>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files
        .iter()
        .map(|path| (name(path), read(&std::fs::read_to_string(path).unwrap(), &name(path))))
        .collect()
}

fn read<T: DeserializeOwned>(text: &str, file: &str) -> T {
    let parsed = yaml::parse(file, Component::Repository, text, 0);
    assert_eq!(parsed.findings, [], "{file}");
    let read = de::read::<T>(&parsed.root.unwrap(), de::Inputs::default());
    assert!(read.errors.is_empty(), "{file}: {:?}", read.errors);
    read.value.unwrap()
}

/// The value with `{net.ROLE}` and `{vlan.ROLE}` filled in.
fn filled(value: &Value, variant: u8) -> Value {
    match value {
        Value::String(text) => {
            if let Some(role) = text.strip_prefix("{vlan.").and_then(|rest| rest.strip_suffix('}')) {
                return Value::from(vlan(variant, number(role)).get());
            }
            let Some((role, rest)) = text.strip_prefix("{net.").and_then(|rest| rest.split_once('}')) else {
                return value.clone();
            };
            Value::String(format!("10.{}.{}{rest}", variant + 1, number(role)))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, variant)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, item)| (key.clone(), filled(item, variant))).collect())
        }
        other => other.clone(),
    }
}

/// Steps through `read`, so that paths need not know what could be unreadable.
fn inner(place: &mut Value) -> &mut Value {
    if place.get("read").is_some() { place.get_mut("read").unwrap() } else { place }
}

fn find<'v>(root: &'v mut Value, path: &[&str]) -> &'v mut Value {
    path.iter().fold(root, |place, part| {
        let place = inner(place);
        place.get_mut(*part).unwrap_or_else(|| panic!("`{part}` of {path:?} is not there"))
    })
}

fn put(root: &mut Value, path: &[&str], value: Value) {
    let (last, above) = path.split_last().unwrap();
    let place = inner(find(root, above)).as_object_mut().unwrap();
    match place.get_mut(*last) {
        Some(old) => *inner(old) = value,
        None => drop(place.insert((*last).to_owned(), value)),
    }
}

/// Applies an edit to a document of JSON.
fn edit(root: &mut Value, edit: &Edit, path: &[&str], variant: u8) {
    let to = edit.to.as_ref().map(|value| filled(value, variant));
    if edit.add.is_some() {
        inner(find(root, path)).as_array_mut().unwrap().push(to.unwrap());
    } else if edit.remove.is_some() {
        let (last, above) = path.split_last().unwrap();
        inner(find(root, above)).as_object_mut().unwrap().remove(*last).unwrap();
    } else if edit.copy.is_some() {
        let value = find(root, path).clone();
        let target = to.unwrap();
        let target: Vec<&str> = target.as_str().unwrap().split('/').skip(1).collect();
        let (last, above) = target.split_last().unwrap();
        inner(find(root, above)).as_object_mut().unwrap().insert((*last).to_owned(), value);
    } else {
        put(root, path, to.unwrap());
    }
}

fn through<T: serde::Serialize + DeserializeOwned>(value: &mut T, change: impl FnOnce(&mut Value)) {
    let mut json = serde_json::to_value(&*value).unwrap();
    change(&mut json);
    *value = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"));
}

fn planned(steps: &[Value]) -> Plan {
    let step = |value: &Value| Step {
        operation: serde_json::from_value::<Operation>(value.clone()).unwrap(),
        inverse: Vec::new(),
        disruption: model::Disruption::None,
    };
    Plan { steps: steps.iter().map(step).collect(), ..Plan::default() }
}

fn base() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents/base");
    let names = ["pointsman.yaml", "groups/lab/group.yaml", "groups/lab/network.yaml"];
    let hosts = ["groups/lab/hosts/esx01.yaml", "groups/lab/hosts/esx02.yaml"];
    let read = |name: &str| (name.to_owned(), std::fs::read(folder.join(name)).unwrap());
    names.into_iter().chain(hosts).map(read).collect()
}

impl Case {
    /// Whether it is about documents alone.
    pub fn is_of_documents(&self) -> bool {
        !self.files.is_empty()
    }

    /// What reading and resolving the repository says.
    pub fn of_documents(&self) -> Vec<Finding> {
        let mut files = base();
        files.extend(self.files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())));
        let mut repository = parse_repository(&files);
        let (_, resolved) = resolve_all(&repository, Some(crate::archetypes::TODAY));
        let mut findings = std::mem::take(&mut repository.findings);
        findings.extend(resolved);
        findings
    }

    /// What the planner says on a clean fleet, when the case is about it.
    pub fn of_planner(&self, clean: &World) -> Option<Vec<Finding>> {
        let desired = parse_network("desired", self.desired.as_ref()?).unwrap();
        Some(plan(&desired, &clean.hosts[0].before).findings)
    }

    /// The mutant of a clean fleet.
    pub fn mutant(&self, clean: &World) -> World {
        let mut world = clean.clone();
        for change in &self.change {
            let path = [&change.set, &change.add, &change.copy, &change.remove]
                .into_iter()
                .flatten()
                .next()
                .unwrap();
            let parts: Vec<&str> = path.split('/').collect();
            let (root, rest) = parts.split_first().unwrap();
            let apply = |json: &mut Value| edit(json, change, rest, clean.variant);
            let number = || usize::try_from(change.to.as_ref().unwrap().as_u64().unwrap()).unwrap();
            match *root {
                "after" => through(&mut world.hosts[0].after, apply),
                "before" => through(&mut world.hosts[0].before, apply),
                "peer" => through(&mut world.hosts[1].after, apply),
                "all" => world.hosts.iter_mut().for_each(|host| through(&mut host.after, apply)),
                "site" => through(&mut world.site, apply),
                "canary" => world.canary = number(),
                "max_parallel" => world.max_parallel = number(),
                other => panic!("{}: no such root `{other}`", self.title),
            }
        }
        let everybody = if self.plan_all.is_empty() { 1 } else { world.hosts.len() };
        let steps = if self.plan_all.is_empty() { &self.plan } else { &self.plan_all };
        for host in world.hosts.iter_mut().take(if steps.is_empty() { 0 } else { everybody }) {
            let plan = planned(steps);
            for step in &plan.steps {
                project(&mut host.after, &step.operation).unwrap();
            }
            host.plan = Some(plan);
        }
        world
    }
}
