//! Which host is in which wave. Must not look at how hosts are doing. Called once, by `RolloutState::new`.

use model::{HostId, RolloutSpec, Wave, WaveSize};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an order has something to do on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Its plan has steps: as a canary it proves something.
    Steps,
    /// The host is as desired already; the order only makes that its confirmed state.
    Nothing,
}

/// A host of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutHost {
    /// The host.
    pub id: HostId,
    /// What may fail together, e.g. a rack; `None`: nothing is known.
    pub failure_domain: Option<String>,
    /// What its order does.
    pub work: Work,
}

/// Every host in exactly one wave, in order of name; no wave is empty. The first one is the canary.
pub(super) fn plan(spec: &RolloutSpec, hosts: &BTreeMap<HostId, RolloutHost>) -> Vec<Wave> {
    let total = hosts.len();
    let canary = canary(hosts, usize_of(spec.canary).clamp(1, total.max(1)));
    let mut rest: Vec<HostId> = hosts.keys().filter(|host| !canary.contains(host)).cloned().collect();
    let mut waves = vec![Wave { hosts: canary.into_iter().collect() }];
    for size in &spec.waves {
        let tail = rest.split_off(hosts_of(*size, total).min(rest.len()));
        waves.push(Wave { hosts: rest });
        rest = tail;
    }
    waves.push(Wave { hosts: rest });
    waves.retain(|wave| !wave.hosts.is_empty());
    waves
}

/// Hosts with steps before hosts without; of those the first by name with a failure domain not seen yet; then, when
/// these are too few, the first others.
fn canary(hosts: &BTreeMap<HostId, RolloutHost>, count: usize) -> BTreeSet<HostId> {
    let mut by_worth: Vec<&RolloutHost> = hosts.values().collect();
    by_worth.sort_by_key(|host| (host.work, &host.id));
    let useful = by_worth.iter().filter(|host| host.work == Work::Steps).count();
    let mut seen = BTreeSet::new();
    let mut chosen = BTreeSet::new();
    for host in by_worth.iter().take(useful) {
        let fresh = host.failure_domain.as_ref().is_none_or(|domain| seen.insert(domain));
        if fresh && chosen.len() < count {
            chosen.insert(host.id.clone());
        }
    }
    for host in by_worth {
        if chosen.len() < count {
            chosen.insert(host.id.clone());
        }
    }
    chosen
}

/// The hosts of a wave; shares are of all hosts, rounded up.
fn hosts_of(size: WaveSize, total: usize) -> usize {
    match size {
        WaveSize::Hosts(hosts) => usize_of(hosts),
        WaveSize::Percent(percent) => total.saturating_mul(usize::from(percent)).div_ceil(100),
    }
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
