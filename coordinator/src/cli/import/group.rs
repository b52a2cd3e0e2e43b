//! A folded group as files, and the proof that they change nothing.
//!
//! Owns: the texts of the group's folder, and planning every host from them. Must not: read or write files. Called by
//! the import verb.

use super::describe::describe;
use super::fit::fit;
use super::fold::{Folded, HostPart, escape, fold};
use engine::documents::write::{document_yaml, template_yaml};
use engine::documents::{Repository, group_file, host_file, network_file, parse_repository};
use engine::plan::plan;
use engine::resolve::resolve_host;
use model::{
    DriftPolicy, Finding, GroupDocument, HostDocument, HostGroupId, HostId, HostOverride, HostSelector,
    ObservedNetwork, Plan,
};
use std::collections::BTreeMap;

/// Why every override of an import is there.
const REASON: &str = "As found on the host at import.";

/// Files by path in the repository.
pub type Files = BTreeMap<String, String>;

/// Hosts as a group of the repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The files of the group.
    pub files: Files,
    /// What was left out, by host.
    pub notes: Vec<(HostId, String)>,
}

/// Why hosts cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
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

/// Writes the documents of a group of hosts as they are.
pub fn import(
    group: &HostGroupId,
    observed: &BTreeMap<HostId, ObservedNetwork>,
) -> Result<Imported, ImportError> {
    let mut descriptions = BTreeMap::new();
    let mut notes = Vec::new();
    for (host, observed) in observed {
        let mut description =
            describe(observed).map_err(|unread| ImportError::Unreadable { host: host.clone(), unread })?;
        fit(&mut description, observed);
        notes.extend(description.notes.iter().map(|note| (host.clone(), note.clone())));
        descriptions.insert(host.clone(), description);
    }
    let Folded { template, hosts } = fold(&descriptions)?;
    let mut files = Files::new();
    let document = GroupDocument {
        members: HostSelector::Hosts(observed.keys().cloned().collect()),
        failure_domain: None,
        rollout: None,
        drift: DriftPolicy::Report,
    };
    files.insert(group_file(group), document_yaml(&document));
    files.insert(network_file(group), template_yaml(&template));
    for (host, part) in hosts {
        files.insert(host_file(group, &host), document_yaml(&host_document(part)));
    }
    Ok(Imported { files, notes })
}

fn host_document(part: HostPart) -> HostDocument {
    let HostPart { uplinks, values, overrides } = part;
    let overrides = overrides.into_iter().map(|(path, value)| HostOverride {
        path: pointer(&path),
        value,
        reason: REASON.to_owned(),
        expires: None,
    });
    HostDocument { labels: BTreeMap::new(), uplinks, values, overrides: overrides.collect() }
}

/// A JSON Pointer into the text of the group's network, where `${` is escaped.
fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |mut out, key| {
        out.push('/');
        out.push_str(&escape(key).replace('~', "~0").replace('/', "~1"));
        out
    })
}

/// What the documents do to one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The host.
    pub host: HostId,
    /// The plan; it should be empty.
    pub plan: Plan,
    /// What is wrong with the documents or the plan of this host.
    pub findings: Vec<Finding>,
}

impl Proof {
    /// Whether nothing would change.
    pub fn holds(&self) -> bool {
        self.plan.is_empty() && !self.findings.iter().any(Finding::is_error)
    }
}

/// Reads the repository as it would be and plans every host of the group. The findings are those of reading.
pub fn prove(
    repository_files: &BTreeMap<String, Vec<u8>>,
    group: &HostGroupId,
    observed: &BTreeMap<HostId, ObservedNetwork>,
) -> (Vec<Proof>, Vec<Finding>) {
    let repository = parse_repository(repository_files);
    let proofs = observed.iter().map(|(host, observed)| prove_host(&repository, group, host, observed));
    (proofs.collect(), repository.findings)
}

fn prove_host(
    repository: &Repository,
    group: &HostGroupId,
    host: &HostId,
    observed: &ObservedNetwork,
) -> Proof {
    let resolved = resolve_host(repository, group, host, None);
    let mut findings = resolved.findings;
    let plan = match &resolved.desired {
        Some(desired) => {
            let planned = plan(desired, observed);
            findings.extend(planned.findings.into_iter().map(|finding| finding.on_host(host)));
            planned.plan
        }
        None => Plan::default(),
    };
    Proof { host: host.clone(), plan, findings }
}
