//! How a rollout is staged: defaults, then the groups, then the RFC. Must not look at hosts.

use model::{GroupDocument, GroupRollout, Millis, RfcRollout, RolloutSpec};

/// Hosts at work at once when no host has anything to do.
const BASELINE_PARALLEL: u32 = 64;

/// The staging of a change with steps. Of several groups the most careful number counts; the confirm window is
/// `window`, what the plans need, where neither a group nor the RFC states one.
pub(super) fn for_steps<'a>(
    groups: impl Iterator<Item = &'a GroupDocument>,
    rfc: Option<&RfcRollout>,
    window: Millis,
) -> RolloutSpec {
    let specs = groups.map(|group| of_group(group.rollout.as_ref(), window));
    let default = || RolloutSpec { confirm_timeout: window, ..RolloutSpec::default() };
    let mut spec = specs.reduce(more_careful).unwrap_or_else(default);
    if let Some(rfc) = rfc {
        let RfcRollout { canary, waves, max_parallel, soak_secs, failure_budget, confirm_timeout_secs } = rfc;
        spec.canary = canary.unwrap_or(spec.canary);
        spec.waves = waves.clone().unwrap_or(spec.waves);
        spec.max_parallel = max_parallel.unwrap_or(spec.max_parallel);
        spec.soak = soak_secs.map_or(spec.soak, Millis::from_secs);
        spec.failure_budget = failure_budget.unwrap_or(spec.failure_budget);
        spec.confirm_timeout = confirm_timeout_secs.map_or(spec.confirm_timeout, Millis::from_secs);
    }
    spec
}

/// The staging when every plan is empty: nothing can go wrong, so nobody waits; a host that changed meanwhile refuses.
pub(super) fn for_baseline(hosts: usize) -> RolloutSpec {
    RolloutSpec {
        canary: 1,
        waves: Vec::new(),
        max_parallel: BASELINE_PARALLEL,
        soak: Millis(0),
        failure_budget: u32::try_from(hosts).unwrap_or(u32::MAX),
        ..RolloutSpec::default()
    }
}

fn of_group(rollout: Option<&GroupRollout>, window: Millis) -> RolloutSpec {
    let default = RolloutSpec { confirm_timeout: window, ..RolloutSpec::default() };
    let Some(rollout) = rollout else { return default };
    let GroupRollout { canary, waves, max_parallel, soak_secs, failure_budget, confirm_timeout_secs } =
        rollout;
    RolloutSpec {
        canary: canary.unwrap_or(default.canary),
        waves: waves.clone().unwrap_or(default.waves),
        max_parallel: max_parallel.unwrap_or(default.max_parallel),
        soak: soak_secs.map_or(default.soak, Millis::from_secs),
        failure_budget: failure_budget.unwrap_or(default.failure_budget),
        confirm_timeout: confirm_timeout_secs.map_or(default.confirm_timeout, Millis::from_secs),
    }
}

fn more_careful(a: RolloutSpec, b: RolloutSpec) -> RolloutSpec {
    RolloutSpec {
        canary: a.canary.max(b.canary),
        // More waves are more looks.
        waves: if b.waves.len() > a.waves.len() { b.waves } else { a.waves },
        max_parallel: a.max_parallel.min(b.max_parallel),
        soak: a.soak.max(b.soak),
        failure_budget: a.failure_budget.min(b.failure_budget),
        confirm_timeout: a.confirm_timeout.max(b.confirm_timeout),
    }
}
