//! A group of hosts as files, and the proof that they change nothing.
//!
//! Owns: the texts of the group's folder, and planning every host from them. Must not: read or write files, choose
//! which hosts belong together (`mine` does). Called by the import verb, through `mine` or directly.

use super::describe::{Description, describe};
use super::fit::{fit, fit_together};
use super::fold::{Deviation, Folded, HostPart, fold};
use super::outlier::{Outlier, outliers};
use crate::documents::template::escape;
use crate::documents::write::{document_yaml, template_yaml};
use crate::documents::{group_file, host_file, network_file, parse_repository};
use crate::plan::plan;
use crate::resolve::{ResolvedHost, resolve_all};
use model::{
    DriftPolicy, Finding, GroupDocument, HostDocument, HostGroupId, HostId, HostOverride, HostSelector,
    Labels, ObservedNetwork, Plan,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Files by path in the repository.
pub type Files = BTreeMap<String, String>;

/// Hosts as a group of the repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// Its name.
    pub group: HostGroupId,
    /// Its hosts.
    pub hosts: Vec<HostId>,
    /// The files of the group.
    pub files: Files,
    /// Overrides of all hosts together.
    pub overrides: usize,
    /// Where hosts are unlike most of the group, and what could not be read.
    pub outliers: Vec<Outlier>,
    /// What was left out, by host.
    pub notes: Vec<(HostId, String)>,
}

/// Why hosts cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// Lists of a host that nothing can be said without.
    #[error("host `{host}` cannot be imported: {}; read the host again", unread.join(", "))]
    Unreadable {
        /// The host.
        host: HostId,
        /// What could not be read.
        unread: Vec<String>,
    },
    /// A description that has no form as a document.
    #[error("the hosts cannot be written as documents: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// Labels of hosts, as far as they are known.
pub type HostLabels = BTreeMap<HostId, Labels>;

/// Describes a host in the words of documents, without what documents refuse. `Err` names what could not be read.
pub(super) fn described(observed: &ObservedNetwork) -> Result<Description, Vec<String>> {
    let mut description = describe(observed)?;
    fit(&mut description, observed);
    Ok(description)
}

/// Writes the documents of a group of hosts as they are.
///
/// # Errors
/// [`AdoptError`] when a list of a host could not be read.
pub fn adopt(
    group: &HostGroupId,
    observed: &BTreeMap<HostId, &ObservedNetwork>,
    labels: &HostLabels,
) -> Result<Adopted, AdoptError> {
    let mut descriptions = BTreeMap::new();
    for (host, observed) in observed {
        let description =
            described(observed).map_err(|unread| AdoptError::Unreadable { host: host.clone(), unread })?;
        descriptions.insert(host.clone(), description);
    }
    Ok(adopt_described(group, descriptions, observed, labels)?)
}

/// The same for hosts that are described already.
pub(super) fn adopt_described(
    group: &HostGroupId,
    mut descriptions: BTreeMap<HostId, Description>,
    observed: &BTreeMap<HostId, &ObservedNetwork>,
    labels: &HostLabels,
) -> Result<Adopted, serde_json::Error> {
    fit_together(&mut descriptions);
    let folded = fold(&descriptions.iter().collect())?;
    let outliers = outliers(&folded, observed);
    let overrides = folded.hosts.values().map(|part| part.overrides.len()).sum();
    let Folded { template, hosts, .. } = folded;
    let mut files = Files::new();
    let document = GroupDocument {
        members: HostSelector::Hosts(descriptions.keys().cloned().collect()),
        failure_domain: None,
        rollout: None,
        drift: DriftPolicy::Report,
    };
    files.insert(group_file(group), document_yaml(&document));
    files.insert(network_file(group), template_yaml(&template));
    for (host, part) in hosts {
        let labels = labels.get(&host).cloned().unwrap_or_default();
        files.insert(host_file(group, &host), document_yaml(&host_document(part, labels)));
    }
    let notes = descriptions
        .iter()
        .flat_map(|(host, description)| description.notes.iter().map(|note| (host.clone(), note.clone())));
    Ok(Adopted {
        group: group.clone(),
        hosts: descriptions.keys().cloned().collect(),
        files,
        overrides,
        outliers,
        notes: notes.collect(),
    })
}

fn host_document(part: HostPart, labels: Labels) -> HostDocument {
    let HostPart { uplinks, values, overrides } = part;
    let overrides = overrides.into_iter().map(|deviation| HostOverride {
        path: pointer(&deviation.path),
        reason: reason(&deviation),
        value: deviation.value,
        expires: None,
    });
    HostDocument { labels, uplinks, values, overrides: overrides.collect() }
}

/// Why an override is there, for the person who reads it next year.
fn reason(deviation: &Deviation) -> String {
    let Deviation { value, usual_hosts, hosts, .. } = deviation;
    match value {
        Value::Null => "Left alone: not read, or not sayable, at import.".to_owned(),
        _ => format!("As found at import; {usual_hosts} of {hosts} hosts are as the group."),
    }
}

/// A JSON Pointer into the text of the group's network, where `${` is escaped.
pub(super) fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut out, key| {
        out.push('/');
        out.push_str(&escape(key).replace('~', "~0").replace('/', "~1"));
        out
    })
}

/// The hosts of some groups planned from a repository as it would be.
#[derive(Debug)]
pub struct Prover {
    resolved: BTreeMap<HostId, ResolvedHost>,
    findings: Vec<Finding>,
}

impl Prover {
    /// Reads the repository and resolves its hosts.
    #[must_use]
    pub fn new(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let repository = parse_repository(files);
        let (resolved, mut findings) = resolve_all(&repository, None);
        findings.extend(repository.findings);
        Self { resolved, findings }
    }

    /// What is wrong with the repository and its hosts.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Plans one host of `group` from the documents.
    #[must_use]
    pub fn prove(&self, group: &HostGroupId, host: &HostId, observed: &ObservedNetwork) -> Proof {
        let named = |finding: &&Finding| finding.host.as_ref() == Some(host);
        let mut findings: Vec<Finding> = self.findings.iter().filter(named).cloned().collect();
        let ours = self.resolved.get(host).filter(|resolved| resolved.group == *group);
        let Some(desired) = ours.and_then(|resolved| resolved.desired.as_ref()) else {
            return Proof { host: host.clone(), plan: None, findings };
        };
        let planned = plan(desired, observed);
        findings.extend(planned.findings.into_iter().map(|finding| finding.on_host(host)));
        Proof { host: host.clone(), plan: Some(planned.plan), findings }
    }
}

/// What the documents do to one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The host.
    pub host: HostId,
    /// The plan; it should be empty. `None` when the documents say nothing of this host.
    pub plan: Option<Plan>,
    /// What is wrong with the documents or the plan of this host.
    pub findings: Vec<Finding>,
}

impl Proof {
    /// Steps that would be run.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.steps.len())
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.plan.as_ref().is_some_and(Plan::is_empty) && !self.findings.iter().any(Finding::is_error)
    }
}
