//! Configuration repository text to typed documents and all findings with file, line and column.
//!
//! Owns: the layout of the repository, the YAML subset, reading, scaffolding and writing of
//! documents. Must not: do I/O (files come in as bytes) or decide about hosts (`resolve` does).
//! Called by `resolve`, the coordinator and the command line.

pub mod de;
pub mod error;
mod group;
mod layout;
pub(crate) mod near;
pub mod rfc;
pub mod rules;
pub mod scaffold;
pub(crate) mod scalar;
pub(crate) mod site;
pub mod template;
pub mod write;
pub mod yaml;

use de::{Inputs, Read};
use error::{Problem, Source};
use layout::Slot;
use model::{
    Component, DesiredNetwork, Finding, GroupDocument, HostDocument, HostGroupId, HostId, RfcId, SiteDocument,
};
pub use rfc::{ChangeBlock, RfcDocument};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use template::Variables;
use yaml::{Node, Place};

/// Path of the site document.
pub const SITE_FILE: &str = "pointsman.yaml";

/// Everything a configuration repository says.
#[derive(Debug, Default)]
pub struct Repository {
    /// Facts of the site.
    pub site: SiteDocument,
    /// `pointsman.yaml` as a tree, for places.
    pub site_tree: Option<Node>,
    /// Whether `pointsman.yaml` is there and readable; else nothing is said about its roles.
    pub site_known: bool,
    /// Groups by name.
    pub groups: BTreeMap<HostGroupId, Group>,
    /// RFC documents by number.
    pub rfcs: BTreeMap<RfcId, RfcDocument>,
    /// Everything that is wrong so far, by place; `resolve` finds more.
    pub findings: Vec<Finding>,
}

/// A group and its hosts.
#[derive(Debug)]
pub struct Group {
    /// Path of `group.yaml`.
    pub file: String,
    /// `group.yaml`; when that is not readable, all host documents are members.
    pub document: GroupDocument,
    /// `group.yaml` as a tree, for places; `None` when there is none or it is no YAML.
    pub tree: Option<Node>,
    /// `network.yaml` as a tree, before variables and overrides.
    pub template: Option<Template>,
    /// Host documents by host.
    pub hosts: BTreeMap<HostId, HostEntry>,
    /// The hosts of the group, whether they have a document or not.
    pub members: BTreeSet<HostId>,
}

/// A group's network before values are filled in.
#[derive(Debug)]
pub struct Template {
    /// Path in the repository.
    pub file: String,
    /// The text as a tree.
    pub root: Node,
    /// Whether all of the text is in the tree; else no host gets a network from it.
    pub complete: bool,
}

/// A host document.
#[derive(Debug)]
pub struct HostEntry {
    /// Path in the repository.
    pub file: String,
    /// What it says.
    pub document: HostDocument,
    /// The text as a tree; `None` when it is not readable.
    pub root: Option<Node>,
    /// Whether all of the text was understood; else the host gets no network.
    pub complete: bool,
}

/// Path of the document of a host, whether it exists or not.
#[must_use]
pub fn host_file(group: &HostGroupId, host: &HostId) -> String {
    format!("groups/{group}/hosts/{host}.yaml")
}

/// Path of the network document of a group.
#[must_use]
pub fn network_file(group: &HostGroupId) -> String {
    format!("groups/{group}/network.yaml")
}

/// Path of the group document of a group.
#[must_use]
pub fn group_file(group: &HostGroupId) -> String {
    format!("groups/{group}/group.yaml")
}

/// A suggestion for a mistyped rule id, as the end of a sentence; empty when none is near.
#[must_use]
pub fn near_rule(id: &str) -> String {
    near::nearest(id, crate::rules::known_ids())
        .map(|near| format!(", did you mean `{near}`?"))
        .unwrap_or_default()
}

/// Orders findings by file, line and column; those without a place come first.
pub fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (&a.span, &a.rule, &a.host, &a.message).cmp(&(&b.span, &b.rule, &b.host, &b.message))
    });
}

/// Reads a whole repository: `files` by path. Everything wrong is a finding; nothing is refused as
/// a whole.
#[must_use]
pub fn parse_repository(files: &BTreeMap<String, Vec<u8>>) -> Repository {
    let mut repository = Repository::default();
    let mut parts: BTreeMap<HostGroupId, group::Parts> = BTreeMap::new();
    if !files.contains_key(SITE_FILE) {
        repository.findings.push(layout::missing_site());
    }
    for (path, bytes) in files {
        match layout::slot(path) {
            Slot::Site => site::read(path, bytes, &mut repository),
            Slot::Group(id) => parts.entry(id).or_default().group = Some((path, bytes)),
            Slot::Network(id) => parts.entry(id).or_default().network = Some((path, bytes)),
            Slot::Host(id, host) => parts.entry(id).or_default().hosts.push((host, path, bytes)),
            Slot::Rfc(number) => rfc::read(path, number, bytes, &mut repository),
            Slot::Ignored => {}
            Slot::Refused(finding) => repository.findings.push(*finding),
        }
    }
    for (id, parts) in parts {
        let group = group::read(&id, &parts, &mut repository.findings);
        repository.groups.insert(id, group);
    }
    group::check_members(&mut repository);
    rfc::check_references(&mut repository);
    sort_findings(&mut repository.findings);
    repository
}

/// Reads a network document that needs no host values; used by `import` and tests.
pub fn parse_network(file: &str, text: &str) -> Result<DesiredNetwork, Vec<Finding>> {
    let parsed = yaml::parse_bytes(file, Component::Repository, text.as_bytes());
    let mut findings = parsed.findings;
    let Some(root) = parsed.root else { return Err(findings) };
    let variables = Variables {
        host: "",
        host_file: "the host document",
        values: None,
        uplinks: &BTreeMap::new(),
        roles: Some(&BTreeMap::new()),
    };
    let read: Read<DesiredNetwork> = de::read(&root, Inputs { variables: Some(&variables), overlay: None });
    findings.extend(findings_of(read.errors, file, "", Component::Repository));
    match read.value {
        Some(network) if findings.is_empty() => Ok(network),
        _ => Err(findings),
    }
}

/// A typed document with its tree.
struct Document<T> {
    value: Option<T>,
    root: Option<Node>,
}

/// Reads one document; what is wrong goes to `findings`.
fn read_document<T: DeserializeOwned>(
    file: &str,
    component: Component,
    bytes: &[u8],
    findings: &mut Vec<Finding>,
) -> Document<T> {
    let parsed = yaml::parse_bytes(file, component, bytes);
    read_tree(file, component, parsed, findings)
}

fn read_tree<T: DeserializeOwned>(
    file: &str,
    component: Component,
    parsed: yaml::Parsed,
    findings: &mut Vec<Finding>,
) -> Document<T> {
    findings.extend(parsed.findings);
    let Some(root) = parsed.root else { return Document { value: None, root: None } };
    let read: Read<T> = de::read(&root, Inputs::default());
    findings.extend(findings_of(read.errors, file, file, component));
    Document { value: read.value, root: Some(root) }
}

/// Errors of reading as findings.
pub(crate) fn findings_of(
    errors: Vec<error::ReadError>,
    file: &str,
    host_file: &str,
    component: Component,
) -> impl Iterator<Item = Finding> {
    let (file, host_file) = (file.to_owned(), host_file.to_owned());
    errors.into_iter().map(move |error| {
        let Problem { rule, message, hint, place, .. } = error.into_problem();
        let (source, place) = place.unwrap_or((Source::Document, Place::START));
        let file = if source == Source::Document { &file } else { &host_file };
        let finding = Finding::error(rule, component, message).at(place.in_file(file));
        match hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        }
    })
}

/// The place of the value at `path` in `root`, or of the deepest part that is there.
fn place_of(root: Option<&Node>, path: &[&str]) -> Place {
    root.map_or(Place::START, |root| de::locate(root, None, path).1)
}

#[cfg(test)]
mod tests;
