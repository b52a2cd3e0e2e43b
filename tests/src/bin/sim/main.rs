//! `sim`: runs the deterministic simulator; one JSON object on standard output.
//!
//! Owns: the command line and the figures. Must not decide anything about the product. Called by `cargo xtask sim` and
//! `cargo xtask crash`. Ends with 0 when nothing was violated (with `mutants`: when every planted bug was caught), 1
//! otherwise, 2 on wrong usage.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures go to standard output, violations to standard error"
)]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;
use tests::sim::crash::{self, Request};
use tests::sim::mutants::Mutant;
use tests::sim::run::{self, invariant};
use tests::sim::settings::Settings;

const USAGE: &str = "usage: sim seeds [--seeds N] [--from N] [--hosts N] [--commit C]
       sim one 'seed=N hosts=N ...'
       sim crash [--changes N] [--commit C]
       sim mutants [--seeds N] [--commit C]";
/// Seeds a planted bug of the fleet gets to show itself.
const MUTANT_SEEDS: u64 = 120;
/// Failing seeds that are made smaller.
const SHRUNK_MAX: usize = 3;

/// What was asked.
struct Asked {
    verb: String,
    words: String,
    numbers: BTreeMap<String, u64>,
    commit: String,
}

fn asked(arguments: impl IntoIterator<Item = String>) -> Option<Asked> {
    let mut arguments = arguments.into_iter();
    let verb = arguments.next()?;
    let mut asked =
        Asked { verb, words: String::new(), numbers: BTreeMap::new(), commit: "unknown".to_owned() };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--commit" => asked.commit = arguments.next()?,
            "--seeds" | "--from" | "--hosts" | "--changes" => {
                asked.numbers.insert(argument, arguments.next()?.parse().ok()?);
            }
            words if words.contains('=') => asked.words = format!("{} {words}", asked.words),
            _ => return None,
        }
    }
    Some(asked)
}

impl Asked {
    fn number(&self, name: &str) -> Option<u64> {
        self.numbers.get(name).copied()
    }
}

fn main() -> ExitCode {
    let Some(asked) = asked(std::env::args().skip(1)) else { return wrong(USAGE) };
    let (figures, well) = match asked.verb.as_str() {
        "seeds" => seeds(&asked),
        "one" => match Settings::parse(&asked.words) {
            Ok(settings) => one(settings, &asked.commit),
            Err(error) => return wrong(&error),
        },
        "crash" => crash(&asked),
        "mutants" => mutants(&asked),
        _ => return wrong(USAGE),
    };
    println!("{figures}");
    if well { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn wrong(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(2)
}

fn seeds(asked: &Asked) -> (Value, bool) {
    let hosts = asked.number("--hosts").and_then(|hosts| u32::try_from(hosts).ok());
    let (from, count) = (asked.number("--from").unwrap_or(0), asked.number("--seeds").unwrap_or(500));
    let summary = run::many(from, count, hosts);
    let first = Settings::of(from, hosts);
    let repeats = run::run(&first).hash == run::run(&first).hash;
    for (number, (settings, violation)) in summary.failures.iter().enumerate() {
        eprintln!("commit {} {}\n    {violation}", asked.commit, settings.words());
        if number < SHRUNK_MAX {
            eprintln!("    smaller: {}", run::shrink(settings, violation).words());
        }
    }
    let figures = json!({
        "seeds": summary.seeds,
        "hosts": summary.hosts,
        "events": summary.events,
        "simulated_seconds": summary.simulated_seconds,
        "wall_seconds": summary.wall_seconds,
        "ratio": (summary.simulated_seconds / summary.wall_seconds.max(0.001)).round(),
        "violations": summary.failures.len(),
        "trace_hash": format!("{:016x}", summary.hash),
        "repeats": repeats,
        "commit": asked.commit,
    });
    (figures, summary.failures.is_empty() && repeats)
}

fn one(settings: Settings, commit: &str) -> (Value, bool) {
    let ran = run::run(&Settings { verbose: true, ..settings.clone() });
    for line in &ran.last {
        eprintln!("{line}");
    }
    let figures = json!({
        "settings": settings.words(), "events": ran.events, "trace_hash": format!("{:016x}", ran.hash),
        "violation": ran.violation, "commit": commit,
    });
    (figures, ran.violation.is_none())
}

fn crash(asked: &Asked) -> (Value, bool) {
    let began = Instant::now();
    let changes = asked.number("--changes").and_then(|changes| usize::try_from(changes).ok());
    let findings = crash::run(Request { changes: changes.unwrap_or(0), ..Request::default() });
    for example in &findings.examples {
        eprintln!("commit {} {example}", asked.commit);
    }
    let figures = json!({
        "changes": findings.changes,
        "points": findings.points(),
        "kills": findings.kills,
        "power_cuts": findings.power_cuts,
        "second_crashes": findings.second_crashes,
        "call_faults": findings.call_faults,
        "violations": findings.violation_count(),
        "hourly_backups": findings.backups,
        "wall_seconds": began.elapsed().as_secs_f64(),
        "commit": asked.commit,
    });
    (figures, findings.violation_count() == 0)
}

fn mutants(asked: &Asked) -> (Value, bool) {
    let seeds = asked.number("--seeds").unwrap_or(MUTANT_SEEDS);
    let found: Vec<(Mutant, Option<String>)> =
        Mutant::ALL.into_iter().map(|mutant| (mutant, caught_by(mutant, seeds))).collect();
    let caught = found.iter().filter(|(_, by)| by.is_some()).count();
    let each: serde_json::Map<String, Value> =
        found.iter().map(|(mutant, by)| (mutant.name().to_owned(), json!(by))).collect();
    let figures = json!({"planted": found.len(), "caught": caught, "mutants": each, "commit": asked.commit});
    (figures, caught == found.len())
}

/// What shows a planted bug: the crash enumeration, or the first seed that violates something.
fn caught_by(mutant: Mutant, seeds: u64) -> Option<String> {
    if !mutant.needs_fleet() {
        let findings = crash::run(Request { changes: 12, mutant: Some(mutant), first_only: true });
        if let Some(violation) = findings.violations.keys().next() {
            return Some(format!("crash: {}", invariant(violation)));
        }
    }
    (0..seeds).find_map(|seed| {
        let settings = Settings { mutant: Some(mutant), ..Settings::of(seed, None) };
        let violation = run::run(&settings).violation?;
        Some(format!("sim seed {seed}: {}", invariant(&violation)))
    })
}
