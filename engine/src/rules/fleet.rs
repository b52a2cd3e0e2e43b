//! The hosts of a group side by side. Must not judge.

use super::answers::At;
use super::view::{Delta, View};
use model::{Component, HostId, SiteDocument};
use std::collections::BTreeMap;

/// A group: its hosts in one state, and the way there when there is one.
pub struct Fleet<'a> {
    pub(super) site: &'a SiteDocument,
    pub(super) hosts: &'a [&'a View<'a>],
    pub(super) deltas: &'a [Delta<'a>],
    /// Value of the failure-domain label of each host.
    pub(super) domains: &'a [Option<&'a str>],
    /// Hosts of the first wave.
    pub(super) canary: usize,
    /// Hosts at work at once.
    pub(super) max_parallel: usize,
}

impl<'a> Fleet<'a> {
    pub(super) fn hosts(&self) -> &'a [&'a View<'a>] {
        self.hosts
    }

    pub(super) fn deltas(&self) -> &'a [Delta<'a>] {
        self.deltas
    }

    /// The group as a whole.
    pub(super) fn at(&self) -> At {
        At::new(Component::Group, &[])
    }
}

/// What one host has under a key, with what is needed to tell of it.
pub(super) struct Told<'v, K, V, P> {
    pub(super) key: K,
    pub(super) value: V,
    pub(super) host: &'v HostId,
    pub(super) about: P,
}

/// A host that has something else than most have under the same key.
pub(super) struct Odd<'v, K, V, P> {
    pub(super) told: Told<'v, K, V, P>,
    /// What most have; of equal numbers, what came first.
    pub(super) usual: V,
    /// A host that has it.
    pub(super) on: &'v HostId,
}

/// The hosts that are not like the others.
pub(super) fn odd<'v, K: Ord + Clone, V: Ord + Clone, P>(
    all: Vec<Told<'v, K, V, P>>,
) -> Vec<Odd<'v, K, V, P>> {
    let mut counts: BTreeMap<K, BTreeMap<V, (usize, usize, &HostId)>> = BTreeMap::new();
    for (at, told) in all.iter().enumerate() {
        let values = counts.entry(told.key.clone()).or_default();
        values.entry(told.value.clone()).or_insert((0, at, told.host)).0 += 1;
    }
    let most = |values: BTreeMap<V, (usize, usize, &'v HostId)>| {
        let rank = |(_, (count, at, _)): &(V, (usize, usize, &HostId))| (*count, std::cmp::Reverse(*at));
        values.into_iter().max_by_key(rank).map(|(value, (_, _, host))| (value, host))
    };
    let usual: BTreeMap<K, (V, &HostId)> =
        counts.into_iter().filter_map(|(key, values)| Some((key, most(values)?))).collect();
    let differs = |told: Told<'v, K, V, P>| {
        let (value, on) = usual.get(&told.key)?;
        (*value != told.value).then(|| Odd { usual: value.clone(), on, told })
    };
    all.into_iter().filter_map(differs).collect()
}
