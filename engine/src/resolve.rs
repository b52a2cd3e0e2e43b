//! From documents to the desired network of each host: variables, overrides, structural checks.
//!
//! Owns: filling in a group's network for one host, and the findings that only then show. Must
//! not: read text (that is `documents`) or know what a host looks like. Called by the coordinator
//! and the command line.

mod overrides;
mod structure;

use crate::documents::de::{self, Inputs, Overlay};
use crate::documents::site::expired_waivers;
use crate::documents::template::Variables;
use crate::documents::yaml::{Node, Place};
use crate::documents::{Group, Repository, Template, findings_of, host_file, rules, sort_findings};
use model::{Component, DesiredNetwork, Finding, HostGroupId, HostId, Labels, Presence, Severity, Span};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Most nodes of a group's network read again because of errors; then its other hosts are skipped.
const GROUP_NODES_MAX: usize = 20_000_000;

/// One host, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What the host should have; `None` when any part of the documents it comes from could not be
    /// read. Structural errors leave it: whether it may be used is for the findings to say.
    pub desired: Option<DesiredNetwork>,
    /// Labels of the host.
    pub labels: Labels,
    /// Value of the group's failure-domain label.
    pub failure_domain: Option<String>,
    /// What is wrong, each with the host named.
    pub findings: Vec<Finding>,
}

/// One host of the fleet, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedHost {
    /// Its group.
    pub group: HostGroupId,
    /// Its labels.
    pub labels: Labels,
    /// Value of the group's failure-domain label.
    pub failure_domain: Option<String>,
    /// What it should have, as in `Resolved`.
    pub desired: Option<DesiredNetwork>,
}

/// Resolves one host of a group. `today` is `YYYY-MM-DD`; without it nothing expires.
#[must_use]
pub fn resolve_host(
    repository: &Repository,
    group: &HostGroupId,
    host: &HostId,
    today: Option<&str>,
) -> Resolved {
    match repository.groups.get(group) {
        Some(found) => resolve_member(repository, group, found, host, today).0,
        None => {
            let message = format!("there is no group `{group}`");
            let finding = Finding::error(rules::UNKNOWN_REFERENCE, Component::Group, message);
            let findings = vec![finding.on_host(host).hint("groups are the folders below `groups`")];
            Resolved { desired: None, labels: Labels::new(), failure_domain: None, findings }
        }
    }
}

/// Resolves every member of every group. The findings are those of all hosts, equal ones told
/// once, and those between hosts; the findings of reading are in the repository.
#[must_use]
pub fn resolve_all(
    repository: &Repository,
    today: Option<&str>,
) -> (BTreeMap<HostId, ResolvedHost>, Vec<Finding>) {
    let mut hosts = BTreeMap::new();
    let mut folded = Folded::default();
    for (id, group) in &repository.groups {
        let mut work = 0;
        for (index, host) in group.members.iter().enumerate() {
            if hosts.contains_key(host) {
                continue;
            }
            let (resolved, spent) = resolve_member(repository, id, group, host, today);
            folded.add(resolved.findings);
            let Resolved { desired, labels, failure_domain, .. } = resolved;
            hosts.insert(host.clone(), ResolvedHost { group: id.clone(), labels, failure_domain, desired });
            work += spent;
            if work > GROUP_NODES_MAX {
                folded.add(vec![too_broken(group, group.members.len() - index - 1)]);
                break;
            }
        }
    }
    folded.add(shared_addresses(repository, &hosts));
    folded.add(today.map(|today| expired_waivers(repository, today)).unwrap_or_default());
    let mut findings = folded.finish();
    sort_findings(&mut findings);
    (hosts, findings)
}

fn too_broken(group: &Group, left: usize) -> Finding {
    let file = group.template.as_ref().map_or(&group.file, |template| &template.file);
    let message = format!("too many problems: {left} more hosts of the group are not checked");
    Finding::error(rules::LIMIT, Component::Group, message)
        .at(Place::START.in_file(file))
        .hint("repair those shown first")
}

fn resolve_member(
    repository: &Repository,
    id: &HostGroupId,
    group: &Group,
    host: &HostId,
    today: Option<&str>,
) -> (Resolved, usize) {
    let entry = group.hosts.get(host);
    let labels = entry.map(|entry| entry.document.labels.clone()).unwrap_or_default();
    let failure_domain = group.document.failure_domain.as_ref().and_then(|label| labels.get(label)).cloned();
    let mut resolved = Resolved { desired: None, labels, failure_domain, findings: Vec::new() };
    let Some(template) = &group.template else { return (resolved, 0) };
    if entry.is_some_and(|entry| entry.root.is_none()) {
        return (resolved, 0);
    }
    let file = host_file(id, host);
    let no_uplinks = BTreeMap::new();
    let variables = Variables {
        host: host.as_str(),
        host_file: &file,
        values: entry.and_then(|entry| entry.root.as_ref()).and_then(|root| root.get("values")),
        uplinks: entry.map_or(&no_uplinks, |entry| &entry.document.uplinks),
        roles: repository.site_known.then_some(&repository.site.roles),
    };
    let overlay = entry.and_then(|entry| overrides::overlay(template, entry, today, &mut resolved.findings));
    let fits = !resolved.findings.iter().any(|finding| finding.rule == rules::OVERRIDE_PATH);
    let inputs = Inputs { variables: Some(&variables), overlay: overlay.as_ref() };
    let read = de::read::<DesiredNetwork>(&template.root, inputs);
    let work = de::work(&read.errors, &template.root);
    let understood = fits && template.complete && entry.is_none_or(|entry| entry.complete);
    resolved.findings.extend(findings_of(read.errors, &template.file, &file, Component::Repository));
    // Rules speak of what could be read even when the rest could not: all problems at once.
    if let Some(network) = read.value {
        let seen = Seen { template, host_file: &file, overlay: overlay.as_ref() };
        structure::check(&network, &repository.site, &seen, &mut resolved.findings);
        resolved.desired = (read.complete && understood).then_some(network);
    }
    for finding in &mut resolved.findings {
        finding.host = Some(host.clone());
        if let (Component::Repository, Some(span)) = (finding.component, &finding.span) {
            finding.component = component_at(&template.root, span);
        }
    }
    (resolved, work)
}

/// The kind of object a place of a network document is about, by the section it is in.
fn component_at(root: &Node, span: &Span) -> Component {
    let place = Place { line: span.line, column: span.column };
    let section = root.entries().iter().rev().find(|(key, _)| key.place <= place);
    match section.map(|(key, _)| key.text.as_str()) {
        Some("vswitches") => Component::Vswitch,
        Some("port_groups") => Component::PortGroup,
        Some("vmkernels") => Component::Vmk,
        Some("nics") => Component::Vmnic,
        Some("netstacks") => Component::Netstack,
        _ => Component::Group,
    }
}

/// A group's network as one host sees it, to find places.
struct Seen<'a> {
    template: &'a Template,
    host_file: &'a str,
    overlay: Option<&'a Overlay<'a>>,
}

impl Seen<'_> {
    /// Where the value at `path` is written, or the deepest part of the path that is.
    fn span(&self, path: &[&str]) -> Span {
        let (source, place) = de::locate(&self.template.root, self.overlay, path);
        match source {
            crate::documents::error::Source::Document => place.in_file(&self.template.file),
            crate::documents::error::Source::Host => place.in_file(self.host_file),
        }
    }
}

/// Where the network of a host says something, or the deepest part of the path that is there.
///
/// `None` when the group has no network document.
#[must_use]
pub fn place(
    repository: &Repository,
    group: &HostGroupId,
    host: Option<&HostId>,
    path: &[&str],
) -> Option<Span> {
    let found = repository.groups.get(group)?;
    let template = found.template.as_ref()?;
    let entry = host.and_then(|host| found.hosts.get(host));
    let overlay = entry.and_then(|entry| overrides::overlay(template, entry, None, &mut Vec::new()));
    let file = host.map(|host| host_file(group, host)).unwrap_or_default();
    Some(Seen { template, host_file: &file, overlay: overlay.as_ref() }.span(path))
}

/// Findings told once however many hosts have them, the others counted in the message.
#[must_use]
pub fn fold(findings: Vec<Finding>) -> Vec<Finding> {
    let mut folded = Folded::default();
    folded.add(findings);
    folded.finish()
}

/// Findings of many hosts, equal ones kept once.
#[derive(Default)]
struct Folded {
    index: BTreeMap<(Option<Span>, String, Severity, String), usize>,
    findings: Vec<(Finding, usize)>,
}

impl Folded {
    fn add(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            let key = (finding.span.clone(), finding.rule.clone(), finding.severity, finding.message.clone());
            if let Some((_, more)) = self.index.get(&key).and_then(|at| self.findings.get_mut(*at)) {
                *more += 1;
                continue;
            }
            self.index.insert(key, self.findings.len());
            self.findings.push((finding, 0));
        }
    }

    fn finish(self) -> Vec<Finding> {
        let told = |(mut finding, more): (Finding, usize)| {
            match more {
                0 => {}
                1 => finding.message.push_str(" (and 1 more host)"),
                _ => finding.message.push_str(&format!(" (and {more} more hosts)")),
            }
            finding
        };
        self.findings.into_iter().map(told).collect()
    }
}

/// Static addresses that two hosts have: an error in one group, a warning between groups, whose
/// networks may be apart.
fn shared_addresses(repository: &Repository, hosts: &BTreeMap<HostId, ResolvedHost>) -> Vec<Finding> {
    let mut owners: BTreeMap<Ipv4Addr, (&HostId, &HostGroupId)> = BTreeMap::new();
    let mut findings = Vec::new();
    for (host, resolved) in hosts {
        let Some(network) = &resolved.desired else { continue };
        for (vmk, fields) in &network.vmkernels {
            let fixed = match fields.present().and_then(|fields| fields.ipv4.as_ref()) {
                Some(model::Ipv4Config::Static { address, .. }) => address.address(),
                _ => continue,
            };
            let Some((other, group)) = owners.get(&fixed).filter(|(other, _)| *other != host) else {
                owners.entry(fixed).or_insert((host, &resolved.group));
                continue;
            };
            let message = format!("`{vmk}` has the address {fixed}, which host `{other}` has too");
            let finding = if *group == &resolved.group {
                Finding::error(rules::ADDRESS_TWICE, Component::Vmk, message)
            } else {
                Finding::warning(rules::ADDRESS_TWICE, Component::Vmk, message)
            };
            let span = address_span(repository, &resolved.group, host, (vmk.as_str(), fixed));
            findings.push(finding.at(span).on_host(host).hint("give one of them another address"));
        }
    }
    findings
}

/// Where a host document names an address, else where the group's network does.
fn address_span(
    repository: &Repository,
    id: &HostGroupId,
    host: &HostId,
    (vmk, address): (&str, Ipv4Addr),
) -> Span {
    let group = repository.groups.get(id);
    let entry = group.and_then(|group| group.hosts.get(host));
    let text = address.to_string();
    let names =
        |node: &&Node| node.scalar().is_some_and(|scalar| scalar.split('/').next() == Some(text.as_str()));
    let values = entry
        .and_then(|entry| entry.root.as_ref())
        .and_then(|root| root.get("values"))
        .map_or(&[][..], Node::entries);
    let file = host_file(id, host);
    match (values.iter().map(|(_, node)| node).find(names), group.and_then(|g| g.template.as_ref())) {
        (None, Some(template)) => {
            let seen = Seen { template, host_file: &file, overlay: None };
            seen.span(&["vmkernels", vmk, "ipv4", "static", "address"])
        }
        (node, _) => node.map_or(Place::START, |node| node.place).in_file(&file),
    }
}

/// Whether an object is named in a map to be removed.
fn is_absent<K: Ord, T>(map: &BTreeMap<K, Presence<T>>, key: &K) -> bool {
    matches!(map.get(key), Some(Presence::Absent))
}

#[cfg(test)]
mod tests;
