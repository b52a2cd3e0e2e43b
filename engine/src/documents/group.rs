//! A group's folder: `group.yaml`, `network.yaml`, host documents, and who is a member.
//!
//! Must not: resolve networks. Called by `parse_repository`.

use super::yaml::{Node, Place};
use super::{Document, Group, HostEntry, Repository, Template, group_file, network_file};
use super::{place_of, read_document, rules, yaml};
use model::{
    CONFIRM_TIMEOUT_SECS_MAX, CONFIRM_TIMEOUT_SECS_MIN, Component, DriftPolicy, Finding, GroupDocument,
    HostDocument, HostGroupId, HostId, HostSelector,
};
use std::collections::{BTreeMap, BTreeSet};

type File<'a> = (&'a String, &'a Vec<u8>);

/// The files of one group.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) group: Option<File<'a>>,
    pub(super) network: Option<File<'a>>,
    pub(super) hosts: Vec<(HostId, &'a String, &'a Vec<u8>)>,
}

/// Reads the files of a group.
pub(super) fn read(id: &HostGroupId, parts: &Parts<'_>, findings: &mut Vec<Finding>) -> Group {
    let hosts = read_hosts(&parts.hosts, findings);
    let file = group_file(id);
    let document = match parts.group {
        Some((path, bytes)) => read_document(path, Component::Group, bytes, findings),
        None => {
            findings.push(missing(&file, id, "it names the members: `members: {hosts: [...]}`"));
            Document { value: None, root: None }
        }
    };
    let template = match parts.network {
        Some((path, bytes)) => read_template(path, bytes, findings),
        None => {
            let hint = "an empty file is enough when nothing is managed yet";
            findings.push(missing(&network_file(id), id, hint));
            None
        }
    };
    let Document { value, root } = document;
    let known = value.is_some();
    let document: GroupDocument = value.unwrap_or_else(|| GroupDocument {
        members: HostSelector::Hosts(hosts.keys().cloned().collect()),
        failure_domain: None,
        rollout: None,
        drift: DriftPolicy::default(),
    });
    let members = members_of(&document.members, &hosts);
    let group = Group { file, document, tree: root, template, hosts, members };
    if known {
        check(id, &group, findings);
    }
    group
}

fn missing(path: &str, id: &HostGroupId, hint: &str) -> Finding {
    let message = format!("group `{id}` has no file `{path}`");
    Finding::error(rules::MISSING_FILE, Component::Group, message).at(Place::START.in_file(path)).hint(hint)
}

fn read_template(path: &str, bytes: &[u8], findings: &mut Vec<Finding>) -> Option<Template> {
    let parsed = yaml::parse_bytes(path, Component::Group, bytes);
    let complete = parsed.findings.is_empty();
    findings.extend(parsed.findings);
    parsed.root.map(|root| Template { file: path.to_owned(), root, complete })
}

fn read_hosts(
    files: &[(HostId, &String, &Vec<u8>)],
    findings: &mut Vec<Finding>,
) -> BTreeMap<HostId, HostEntry> {
    let mut hosts = BTreeMap::new();
    for (host, path, bytes) in files {
        let before = findings.len();
        let read = read_document::<HostDocument>(path, Component::Host, bytes, findings);
        let values = read.root.as_ref().and_then(|root| root.get("values"));
        if let Some((key, _)) = values.and_then(|values| values.entry("name")) {
            let message = "value `name` is never used: `${host.name}` is the name of the host";
            let finding = Finding::error(rules::BAD_VALUE, Component::Host, message);
            findings.push(finding.at(key.place.in_file(path)).hint("give it another name"));
        }
        let complete = findings.len() == before;
        let document = read.value.unwrap_or_default();
        let entry = HostEntry { file: (*path).clone(), document, root: read.root, complete };
        hosts.insert(host.clone(), entry);
        for finding in findings.iter_mut().skip(before) {
            finding.host = Some(host.clone());
        }
    }
    hosts
}

fn members_of(selector: &HostSelector, hosts: &BTreeMap<HostId, HostEntry>) -> BTreeSet<HostId> {
    match selector {
        HostSelector::Hosts(names) => names.iter().cloned().collect(),
        HostSelector::Labels(labels) => hosts
            .iter()
            .filter(|(_, entry)| labels.iter().all(|(k, v)| entry.document.labels.get(k) == Some(v)))
            .map(|(host, _)| host.clone())
            .collect(),
    }
}

fn check(id: &HostGroupId, group: &Group, findings: &mut Vec<Finding>) {
    let root = group.tree.as_ref();
    if let Some(rollout) = &group.document.rollout {
        let numbers = RolloutNumbers {
            canary: rollout.canary,
            max_parallel: rollout.max_parallel,
            confirm_timeout_secs: rollout.confirm_timeout_secs,
        };
        numbers.check(&group.file, Component::Group, root, findings);
    }
    if group.members.is_empty() {
        let at = place_of(root, &["members"]).in_file(&group.file);
        let message = format!("group `{id}` has no hosts, so its network document is not checked");
        let hint = "name hosts below `members.hosts`, or labels that host documents carry";
        findings.push(Finding::warning(rules::NO_HOSTS, Component::Group, message).at(at).hint(hint));
    }
    if let HostSelector::Hosts(_) = group.document.members {
        twice_listed(group, root, findings);
    }
    if let Some(label) = &group.document.failure_domain {
        findings.extend(without_label(group, label));
    }
    for (host, entry) in group.hosts.iter().filter(|(host, _)| !group.members.contains(*host)) {
        let message = format!("host is no member of group `{id}`; its document is not used");
        let hint = match group.document.members {
            HostSelector::Hosts(_) => {
                format!("add it to `members.hosts` in {}, or remove the file", group.file)
            }
            HostSelector::Labels(_) => {
                format!("give it the labels named in {}, or remove the file", group.file)
            }
        };
        let finding = Finding::warning(rules::NOT_A_MEMBER, Component::Host, message);
        findings.push(finding.at(Place::START.in_file(&entry.file)).on_host(host).hint(hint));
    }
}

fn member_nodes(root: Option<&Node>) -> &[Node] {
    root.and_then(|r| r.get("members")).and_then(|m| m.get("hosts")).map_or(&[], Node::items)
}

/// Most hosts named in one finding.
const NAMED_HOSTS_MAX: usize = 5;

/// Members that lack the label of the failure domain; broken host documents are not counted.
fn without_label(group: &Group, label: &str) -> Option<Finding> {
    let lacks = |host: &&HostId| match group.hosts.get(*host) {
        Some(entry) => entry.complete && !entry.document.labels.contains_key(label),
        None => true,
    };
    let hosts: Vec<&str> = group.members.iter().filter(lacks).map(HostId::as_str).collect();
    if hosts.is_empty() {
        return None;
    }
    let named = hosts.iter().take(NAMED_HOSTS_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = match hosts.len().saturating_sub(NAMED_HOSTS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("no label `{label}`, so no failure domain is known: {named}{more}");
    let at = place_of(group.tree.as_ref(), &["failure_domain"]).in_file(&group.file);
    let hint = format!("add `labels: {{{label}: ...}}` to their host documents");
    Some(Finding::warning(rules::NO_FAILURE_DOMAIN, Component::Group, message).at(at).hint(hint))
}

fn twice_listed(group: &Group, root: Option<&Node>, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for node in member_nodes(root) {
        if let Some(name) = node.scalar().filter(|name| !seen.insert(*name)) {
            let message = format!("host `{name}` is listed twice");
            let finding = Finding::error(rules::TWO_GROUPS, Component::Group, message);
            findings.push(finding.at(node.place.in_file(&group.file)).hint("keep one of them"));
        }
    }
}

/// Checks that no host is in two groups.
pub(super) fn check_members(repository: &mut Repository) {
    let mut home: BTreeMap<&HostId, &HostGroupId> = BTreeMap::new();
    let mut findings = Vec::new();
    for (id, group) in &repository.groups {
        for host in &group.members {
            let Some(first) = home.get(host) else {
                home.insert(host, id);
                continue;
            };
            let message = format!("host is in two groups: `{first}` and `{id}`");
            let listed = member_nodes(group.tree.as_ref());
            let listed = listed.iter().find(|node| node.scalar() == Some(host.as_str()));
            let span = match (listed, group.hosts.get(host)) {
                (None, Some(entry)) => Place::START.in_file(&entry.file),
                (node, _) => node.map_or(Place::START, |node| node.place).in_file(&group.file),
            };
            let finding = Finding::error(rules::TWO_GROUPS, Component::Group, message).at(span);
            findings.push(finding.on_host(host).hint("take it out of one of them"));
        }
    }
    repository.findings.append(&mut findings);
}

/// Rollout numbers with limits, as groups and RFCs have them.
pub(super) struct RolloutNumbers {
    pub(super) canary: Option<u32>,
    pub(super) max_parallel: Option<u32>,
    pub(super) confirm_timeout_secs: Option<u64>,
}

impl RolloutNumbers {
    /// Checks the limits; the numbers are below `rollout` in `root`.
    pub(super) fn check(
        &self,
        file: &str,
        component: Component,
        root: Option<&Node>,
        findings: &mut Vec<Finding>,
    ) {
        let mut report = |key: &str, message: String| {
            let at = place_of(root, &["rollout", key]).in_file(file);
            findings.push(Finding::error(rules::ROLLOUT_NUMBER, component, message).at(at));
        };
        for (key, number) in [("canary", self.canary), ("max_parallel", self.max_parallel)] {
            if number == Some(0) {
                report(key, format!("`{key}` is 0: use 1 or more hosts"));
            }
        }
        let limits = CONFIRM_TIMEOUT_SECS_MIN..=CONFIRM_TIMEOUT_SECS_MAX;
        if let Some(secs) = self.confirm_timeout_secs.filter(|secs| !limits.contains(secs)) {
            let (min, max) = (limits.start(), limits.end());
            report(
                "confirm_timeout_secs",
                format!("`confirm_timeout_secs` is {secs}: use {min} to {max} seconds"),
            );
        }
    }
}
