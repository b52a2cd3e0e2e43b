//! Runs of the simulator: many seeds, one seed twice, and a failing one made smaller.
//!
//! Owns: figures, shrinking and the named seeds of the past (`seeds.txt`). Called by the program `sim` and by tests.

use super::settings::{Settings, Trouble};
use super::world::World;
use std::time::Instant;

/// Seeds of the past: a name, `: `, and settings as [`Settings::parse`] reads them.
pub const NAMED_SEEDS: &str = include_str!("seeds.txt");
/// Runs that shrinking may take.
const SHRINK_RUNS_MAX: u32 = 120;

/// What one run came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Events of the queue.
    pub events: u64,
    /// Virtual time, milliseconds.
    pub simulated_ms: u64,
    /// Hash over the trace.
    pub hash: u64,
    /// The first violation.
    pub violation: Option<String>,
    /// The last events, when asked for.
    pub last: Vec<String>,
}

/// Runs one seed.
#[must_use]
pub fn run(settings: &Settings) -> Ran {
    let mut world = World::new(settings.clone());
    let events = world.run();
    Ran {
        events,
        simulated_ms: world.now,
        hash: world.trace.hash(),
        violation: world
            .violations
            .first()
            .map(|(at, what)| format!("at {}.{:03} s: {what}", at / 1000, at % 1000)),
        last: world.trace.last().cloned().collect(),
    }
}

/// Figures of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Hosts of all of them.
    pub hosts: u64,
    /// Events of all of them.
    pub events: u64,
    /// Virtual seconds.
    pub simulated_seconds: f64,
    /// Seconds it took.
    pub wall_seconds: f64,
    /// One hash over all traces.
    pub hash: u64,
    /// Settings and violation of each run that failed.
    pub failures: Vec<(Settings, String)>,
}

/// Runs seeds `from..from + count`; `hosts` overrides the drawn number.
#[must_use]
pub fn many(from: u64, count: u64, hosts: Option<u32>) -> Summary {
    let began = Instant::now();
    let mut summary = Summary::default();
    for seed in from..from.saturating_add(count) {
        let settings = Settings::of(seed, hosts);
        let ran = run(&settings);
        summary.seeds += 1;
        summary.hosts += u64::from(settings.hosts);
        summary.events += ran.events;
        summary.simulated_seconds += std::time::Duration::from_millis(ran.simulated_ms).as_secs_f64();
        summary.hash = summary.hash.rotate_left(7) ^ ran.hash;
        if let Some(violation) = ran.violation {
            summary.failures.push((settings, violation));
        }
    }
    summary.wall_seconds = began.elapsed().as_secs_f64();
    summary
}

/// The smallest settings found that still fail in the same invariant.
#[must_use]
pub fn shrink(settings: &Settings, violation: &str) -> Settings {
    let kind = invariant(violation);
    let mut best = settings.clone();
    let mut runs = 0;
    let mut fails = |trial: &Settings| {
        runs += 1;
        runs <= SHRINK_RUNS_MAX && run(trial).violation.is_some_and(|found| invariant(&found) == kind)
    };
    loop {
        let before = best.clone();
        for trouble in Trouble::ALL {
            let mut trial = best.clone();
            if trial.kinds.remove(&trouble) && fails(&trial) {
                best = trial;
            }
        }
        for trial in smaller(&best) {
            if fails(&trial) {
                best = trial;
                break;
            }
        }
        if best == before {
            return best;
        }
    }
}

fn smaller(of: &Settings) -> Vec<Settings> {
    let mut all = Vec::new();
    for faults in [0, of.faults / 2, of.faults.saturating_sub(1)] {
        all.push(Settings { faults, ..of.clone() });
    }
    for hosts in [1, of.hosts / 2, of.hosts.saturating_sub(1)] {
        all.push(Settings { hosts: hosts.max(1), ..of.clone() });
    }
    all.push(Settings { coordinators: 1, ..of.clone() });
    for changes in [1, of.changes.saturating_sub(1)] {
        all.push(Settings { changes, ..of.clone() });
    }
    all.retain(|trial| trial != of);
    all
}

/// `I1` to `I9` of a violation.
#[must_use]
pub fn invariant(violation: &str) -> String {
    let word = |word: &&str| word.len() == 2 && word.starts_with('I');
    violation.split(' ').find(word).unwrap_or("other").to_owned()
}

/// The named seeds.
#[must_use]
pub fn named() -> Vec<(String, Result<Settings, String>)> {
    let lines = NAMED_SEEDS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, words)| (name.to_owned(), Settings::parse(words)))
        .collect()
}
