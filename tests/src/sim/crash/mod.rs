//! `cargo xtask crash`: every golden change, ended at every point, with every fate of what was not synced.
//!
//! Owns: the enumeration. Must not know what is right; `bench` checks. Called by the program `sim` and by tests.
//!
//! For each change: one run without trouble counts disk operations and calls. Then the process is ended instead of each
//! disk operation, before each call and after each call; as a kill (nothing written is lost) and as a power cut (the host
//! boots with its saved configuration) with every combination of lost, kept and torn for up to [`ENUMERATED_MAX`]
//! un-synced writes, and [`SAMPLES`] drawn ones for more. After the recovery the order is sent again. Beside that every
//! call goes wrong once in each way, without a crash; and a share of the recoveries is ended a second time. And ESXi
//! saves its configuration by itself before every call, followed by drawn crashes.

pub mod bench;

use super::disk::Fate;
use super::golden::{self, Golden};
use super::host::{self, CallFault};
use super::image::Image;
use super::mutants::Mutant;
use super::rng::Rng;
use bench::{Answer, Bench, Case, Point};
use engine::plan::plan;
use model::{ChangeId, Generation, HostId, Millis, Order, ProbePlan, Wall};
use simulator::Host;
use std::collections::BTreeMap;

/// Un-synced writes of which every combination is tried.
pub const ENUMERATED_MAX: usize = 4;
/// Combinations drawn when there are more.
pub const SAMPLES: usize = 64;
/// One of so many recoveries is ended a second time.
const SECOND_CRASH: u64 = 8;
/// Crash points that are drawn behind each moment at which ESXi saves by itself.
const BACKUP_CRASHES: u64 = 3;
/// Violations kept as text.
const SHOWN_MAX: usize = 20;

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Changes that were run.
    pub changes: u64,
    /// Runs that were ended by a kill.
    pub kills: u64,
    /// Runs that were ended by a power cut.
    pub power_cuts: u64,
    /// Recoveries that were ended themselves.
    pub second_crashes: u64,
    /// Runs with one call that went wrong.
    pub call_faults: u64,
    /// Runs in which ESXi saved its configuration by itself before one of the calls, most of them ended later.
    pub backups: u64,
    /// Violations by what was violated.
    pub violations: BTreeMap<String, u64>,
    /// Where the first ones were seen.
    pub examples: Vec<String>,
}

impl Findings {
    /// Runs that were ended somewhere.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.kills + self.power_cuts + self.second_crashes
    }

    /// All violations.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.violations.values().sum()
    }

    fn take(&mut self, bench: &Bench<'_>, place: &dyn Fn() -> String) {
        for violation in &bench.violations {
            *self.violations.entry(violation.clone()).or_default() += 1;
            if self.examples.len() < SHOWN_MAX {
                self.examples.push(format!("{}: {violation}", place()));
            }
        }
    }
}

/// What to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// Only the first so many changes; all when 0.
    pub changes: usize,
    /// A planted bug.
    pub mutant: Option<Mutant>,
    /// Ends with the first violation.
    pub first_only: bool,
}

/// Runs the enumeration.
#[must_use]
pub fn run(request: Request) -> Findings {
    let talking = golden::host(3);
    let mut findings = Findings::default();
    let mut changes = golden::all(&talking);
    // Where the gateway answers no ping, only a new connection tells that a host is cut off.
    let mut silent = talking.clone();
    silent.fabric.silent.insert(simulator::fleet::GATEWAY);
    if request.changes > 0 {
        // Spread over all kinds of changes.
        let stride = changes.len().div_ceil(request.changes);
        changes = changes.into_iter().step_by(stride.max(1)).collect();
    }
    for (number, change) in changes.iter().enumerate() {
        let host = if number % 2 == 0 { &talking } else { &silent };
        let Some(case) = case(host, change, request.mutant) else { continue };
        findings.changes += 1;
        for answer in [Answer::Confirm, Answer::Withdraw, Answer::Silence] {
            let case = Case { answer, ..case.clone() };
            let mut rng = Rng::new(u64::try_from(number).unwrap_or(0));
            enumerate(&case, &change.name, &mut rng, &mut findings);
            if request.first_only && findings.violation_count() > 0 {
                return findings;
            }
        }
    }
    findings
}

fn case(host: &Host, change: &Golden, mutant: Option<Mutant>) -> Option<Case> {
    let observed = host.describe(Wall(0)).ok()?;
    let planned = plan(&change.desired, &observed);
    if planned.plan.is_empty() || planned.findings.iter().any(model::Finding::is_error) {
        return None;
    }
    let order = Order {
        host: HostId::new(host.running.hostname.clone()).ok()?,
        change: ChangeId::new("golden").ok()?,
        generation: Generation(7),
        commit: "golden".to_owned(),
        desired: change.desired.clone(),
        plan_digest: planned.plan.digest.clone(),
        disruption_allowed: change.allowed,
        confirm_timeout: Millis::from_secs(60),
        probes: ProbePlan::default(),
    };
    let new = host::after(host, planned.plan.steps.iter().map(|step| &step.operation));
    Some(Case { host: host.clone(), order, answer: Answer::Confirm, old: Image::running(host), new, mutant })
}

fn enumerate(case: &Case, name: &str, rng: &mut Rng, findings: &mut Findings) {
    let mut plain = Bench::new(case);
    let (disk_from, calls_from) = (plain.disk.ops(), plain.calls);
    plain.order(None);
    plain.check_end();
    findings.take(&plain, &|| format!("{name}, {:?}, no trouble", case.answer));
    let mut points: Vec<Point> = (disk_from..plain.disk.ops()).map(Point::Disk).collect();
    points.extend((calls_from..plain.calls).flat_map(|call| [Point::Before(call), Point::After(call)]));
    for point in points {
        end_at(case, point, name, rng, findings);
    }
    for call in calls_from..plain.calls {
        let place = |how: &str| format!("{name}, {:?}, ESXi saves before call {call}{how}", case.answer);
        let mut bench = Bench::new(case);
        bench.backup_at = Some(call);
        bench.order(None);
        bench.check_end();
        findings.backups += 1;
        findings.take(&bench, &|| place(""));
        for _ in 0..BACKUP_CRASHES {
            let point = Point::After(call + rng.below(plain.calls - call));
            let mut bench = Bench::new(case);
            bench.backup_at = Some(call);
            if bench.order(Some(point)) {
                let mut cut = bench.fork();
                cut.disk.cut_by_chance(rng);
                cut.reboot();
                findings.backups += 1;
                findings.power_cuts += 1;
                recover(cut, rng, findings, &|| place(&format!(", power cut at {point:?}")));
            }
        }
    }
    if case.answer == Answer::Silence {
        return;
    }
    for call in calls_from..plain.calls {
        for fault in CallFault::ALL {
            let mut bench = Bench::new(case);
            bench.fault = Some((call, fault));
            bench.order(None);
            bench.check_end();
            findings.call_faults += 1;
            findings.take(&bench, &|| format!("{name}, {:?}, call {call} {fault:?}", case.answer));
        }
    }
}

fn end_at(case: &Case, point: Point, name: &str, rng: &mut Rng, findings: &mut Findings) {
    let mut bench = Bench::new(case);
    if !bench.order(Some(point)) {
        return;
    }
    findings.take(&bench, &|| format!("{name}, {:?}, before {point:?}", case.answer));
    let place = |how: &str| format!("{name}, {:?}, {how} at {point:?}", case.answer);
    let killed = bench.fork();
    findings.kills += 1;
    recover(killed, rng, findings, &|| place("killed"));
    for fates in fates(&bench.disk.pending(), rng) {
        let mut cut = bench.fork();
        cut.disk.cut(&fates);
        cut.reboot();
        findings.power_cuts += 1;
        recover(cut, rng, findings, &|| place(&format!("power cut {fates:?}")));
    }
}

/// The agent starts again, everything comes to an end, and the order is sent once more.
fn recover(mut bench: Bench<'_>, rng: &mut Rng, findings: &mut Findings, place: &dyn Fn() -> String) {
    if rng.below(SECOND_CRASH) == 0 {
        findings.second_crashes += 1;
        let at = bench.disk.ops() + rng.below(16);
        bench.start_dying(at);
        if bench.settle(None) && rng.chance(500) {
            bench.disk.cut_by_chance(rng);
            bench.reboot();
        }
    }
    bench.start();
    bench.settle(None);
    bench.check_end();
    bench.order(None);
    bench.check_end();
    findings.take(&bench, place);
}

/// Every combination of fates for few writes, drawn ones for many.
fn fates(pending: &[usize], rng: &mut Rng) -> Vec<Vec<Fate>> {
    let options = |sectors: usize| -> Vec<Fate> {
        let mut all = vec![Fate::Lost, Fate::Kept];
        if sectors > 1 {
            all.extend([Fate::Head(1), Fate::Head(sectors - 1), Fate::Tail(1)]);
        }
        all
    };
    if pending.len() > ENUMERATED_MAX {
        let one = |rng: &mut Rng| {
            let fate = |sectors: &usize| {
                let all = options(*sectors);
                all[rng.index(all.len())]
            };
            pending.iter().map(fate).collect()
        };
        return (0..SAMPLES).map(|_| one(rng)).collect();
    }
    let mut all: Vec<Vec<Fate>> = vec![Vec::new()];
    for sectors in pending {
        let more = |so_far: &Vec<Fate>| {
            let extended = |fate| so_far.iter().copied().chain([fate]).collect();
            options(*sectors).into_iter().map(extended).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(more).collect();
    }
    all
}
