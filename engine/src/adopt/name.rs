//! Names of proposed groups, from what their hosts are called.
//!
//! Owns: the choice. Must not: know networks. Called by `mine`.

use super::mine::Hints;
use model::{HostGroupId, HostId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Label whose value names a group when all its hosts share it.
const CLUSTER_LABEL: &str = "cluster";
/// Name of a group whose hosts have nothing in common in theirs.
const PLAIN: &str = "hosts";
/// A group is named after its hosts when at least this many of four are called so.
const STEM_OF_FOUR_MIN: usize = 3;
/// Longest name taken from hosts, in characters; leaves room for a number.
const STEM_CHARS_MAX: usize = 40;

/// Gives out names.
pub(super) struct Names<'a> {
    hints: &'a Hints,
    given: VecDeque<HostGroupId>,
    taken: BTreeSet<HostGroupId>,
}

impl<'a> Names<'a> {
    pub fn new(hints: &'a Hints) -> Self {
        let taken = hints.taken.iter().chain(&hints.names).cloned().collect();
        Self { hints, given: hints.names.iter().cloned().collect(), taken }
    }

    /// The name of the next group: one that was asked for, else one after its hosts.
    pub fn next(&mut self, hosts: &[HostId]) -> HostGroupId {
        if let Some(name) = self.given.pop_front() {
            return name;
        }
        let stem = self.cluster(hosts).or_else(|| stem(hosts)).unwrap_or_else(|| PLAIN.to_owned());
        let numbered = (2_usize..).map(|number| format!("{stem}-{number}"));
        let names = std::iter::once(stem.clone()).chain(numbered);
        // Ends: only so many names are taken, and a stem is short and made of what names may hold.
        let mut free =
            names.filter_map(|name| HostGroupId::new(name).ok()).filter(|name| !self.taken.contains(name));
        let name = match free.next() {
            Some(name) => name,
            None => return self.next(&[]),
        };
        self.taken.insert(name.clone());
        name
    }

    /// The cluster all hosts say they are in.
    fn cluster(&self, hosts: &[HostId]) -> Option<String> {
        let label = |host: &HostId| self.hints.labels.get(host)?.get(CLUSTER_LABEL).cloned();
        let first = label(hosts.first()?)?;
        let same = hosts.iter().all(|host| label(host).as_ref() == Some(&first));
        same.then(|| tidy(&first)).flatten()
    }
}

/// What nearly all hosts are called before their number.
fn stem(hosts: &[HostId]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for host in hosts {
        let short = host.as_str().split('.').next().unwrap_or_default();
        let name = short.trim_end_matches(|c: char| c.is_ascii_digit());
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    let (name, _) = counts.into_iter().find(|(_, count)| count * 4 >= hosts.len() * STEM_OF_FOUR_MIN)?;
    tidy(&name)
}

/// Text as a name of a group; `None` when nothing is left.
fn tidy(text: &str) -> Option<String> {
    let plain: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(STEM_CHARS_MAX)
        .collect();
    let plain = plain.trim_matches('-');
    (!plain.is_empty()).then(|| plain.to_owned())
}
