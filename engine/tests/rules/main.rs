//! The proof of the best-practice rules: clean fleets without findings, and for every rule mutants that it must see.
//!
//! `cargo xtask rules` runs this program and reads the line of JSON that it prints.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture fails the test")]

mod archetypes;
mod case;

use archetypes::{World, worlds};
use case::{Case, cases};
use engine::rules::{By, Found, RULES};
use std::collections::BTreeMap;

/// Clean fleets asked for.
const CLEAN_MIN: usize = 60;

/// Everything the rules found, gating or not.
fn found(world: &World) -> Vec<Found> {
    let verdict = world.verdict();
    verdict.new.into_iter().chain(verdict.old).collect()
}

fn false_alarms(worlds: &[World]) -> Vec<String> {
    let all = worlds.iter().flat_map(|world| found(world).into_iter().map(move |found| (world, found)));
    all.map(|(world, found)| format!("{}: {}", world.name, found.finding)).collect()
}

#[test]
fn nothing_is_found_on_clean_fleets() {
    let worlds = worlds();
    let alarms = false_alarms(&worlds);
    assert!(worlds.len() >= CLEAN_MIN, "only {} clean fleets", worlds.len());
    assert!(alarms.is_empty(), "{} false alarms:\n{}", alarms.len(), alarms.join("\n"));
}

/// How many mutants of a case there are, and those that were not seen.
fn tried(rule: &str, case: &Case, worlds: &[World]) -> (usize, Vec<String>) {
    let starts = worlds.iter().filter(|world| case.start.iter().any(|start| start == world.archetype));
    let mut count = 0;
    let mut missed = Vec::new();
    for clean in starts {
        count += 1;
        let all = found(&case.mutant(clean));
        let seen = all.iter().any(|found| found.finding.rule == rule && found.finding.object == case.expect);
        if !seen {
            let told: Vec<String> = all.iter().map(|found| found.finding.to_string()).collect();
            missed.push(format!("{rule} ({}) on {}: {told:#?}", case.title, clean.name));
        }
    }
    (count, missed)
}

#[test]
fn every_mutant_is_seen_by_its_rule() {
    let worlds = worlds();
    let mut missed = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (rule, cases) in cases() {
        for case in &cases {
            let (count, not_seen) = tried(&rule, case, &worlds);
            assert!(count > 0, "{rule} ({}) starts from no archetype", case.title);
            *counts.entry(rule.clone()).or_default() += count;
            missed.extend(not_seen);
        }
    }
    assert!(
        missed.is_empty(),
        "{} mutants missed, the first:\n{}",
        missed.len(),
        missed.into_iter().take(12).collect::<Vec<_>>().join("\n")
    );
    let decided = RULES
        .iter()
        .flat_map(|family| family.iter())
        .filter(|rule| !matches!(rule.by, By::Unread(_) | By::Elsewhere(_)));
    let without: Vec<&str> = decided.map(|rule| rule.id).filter(|id| !counts.contains_key(*id)).collect();
    assert_eq!(without, [""; 0], "rules without a mutant");
}
