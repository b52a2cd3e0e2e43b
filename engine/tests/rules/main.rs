//! The proof of the best-practice rules: clean fleets without findings, and for every rule mutants that it must see.
//!
//! `cargo xtask rules` runs the test `report` and reads the line of JSON that it prints.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken fixture fails the test")]

mod archetypes;
mod case;

use archetypes::{World, worlds};
use case::{Case, cases};
use engine::rules::{By, Found, RULES, Rule, known_ids, rule};
use model::{Finding, Known};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::OnceLock;

/// Clean fleets asked for.
const CLEAN_MIN: usize = 60;
/// Missed mutants and false alarms that are told in full.
const TOLD_MAX: usize = 12;

/// One rule in the report.
#[derive(Serialize)]
struct Line {
    rule: &'static str,
    severity: &'static str,
    kind: &'static str,
    title: &'static str,
    decided_by: &'static str,
    cases: usize,
    mutants: usize,
    missed: usize,
}

/// A rule whose facts are not read.
#[derive(Serialize)]
struct NotDecidable {
    rule: &'static str,
    missing: &'static str,
}

#[derive(Serialize)]
struct Report {
    /// Rules with mutants.
    rules_implemented: usize,
    /// Rules that others keep by their build, without an id of their own to find.
    kept_elsewhere: usize,
    mutants: usize,
    missed: usize,
    false_alarms: usize,
    clean_states: usize,
    not_decidable: Vec<NotDecidable>,
    rules: Vec<Line>,
    #[serde(skip)]
    not_seen: Vec<String>,
    #[serde(skip)]
    alarms: Vec<String>,
}

fn table() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().flat_map(|family| family.iter())
}

/// Everything the rules found, gating or not.
fn found(world: &World) -> Vec<Found> {
    let verdict = world.verdict();
    verdict.new.into_iter().chain(verdict.old).collect()
}

fn false_alarms(worlds: &[World]) -> Vec<String> {
    let all = worlds.iter().flat_map(|world| found(world).into_iter().map(move |found| (world, found)));
    all.map(|(world, found)| format!("{}: {}", world.name, found.finding)).collect()
}

fn not_seen(rule: &str, case: &Case, on: &str, all: &[Finding]) -> Option<String> {
    let id = case.told_as.as_deref().unwrap_or(rule);
    let is_it =
        |finding: &&Finding| finding.rule == id && (case.expect.is_empty() || finding.object == case.expect);
    if all.iter().any(|finding| is_it(&finding)) {
        return None;
    }
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    Some(format!("{rule} ({}) on {on}: {told:#?}", case.title))
}

/// How many mutants of a case there are, and those that were not seen.
fn tried(rule: &str, case: &Case, worlds: &[World]) -> (usize, Vec<String>) {
    if case.is_of_documents() {
        return (1, not_seen(rule, case, "documents", &case.of_documents()).into_iter().collect());
    }
    let starts: Vec<&World> =
        worlds.iter().filter(|world| case.start.iter().any(|s| s == world.archetype)).collect();
    let missed = starts.iter().filter_map(|clean| {
        let all = case
            .of_planner(clean)
            .unwrap_or_else(|| found(&case.mutant(clean)).into_iter().map(|found| found.finding).collect());
        not_seen(rule, case, &clean.name, &all)
    });
    (starts.len(), missed.collect())
}

fn proof() -> &'static Report {
    static PROOF: OnceLock<Report> = OnceLock::new();
    PROOF.get_or_init(|| {
        let worlds = worlds();
        let alarms = false_alarms(&worlds);
        let mut all = Vec::new();
        let mut tally: BTreeMap<String, (usize, usize, usize)> = BTreeMap::new();
        for (rule, cases) in cases() {
            for case in &cases {
                let (mutants, missed) = tried(&rule, case, &worlds);
                assert!(mutants > 0, "{rule} ({}) starts from no archetype", case.title);
                let entry = tally.entry(rule.clone()).or_default();
                *entry = (entry.0 + 1, entry.1 + mutants, entry.2 + missed.len());
                all.extend(missed);
            }
        }
        let line = |rule: &'static Rule| {
            let (cases, mutants, missed) = tally.get(rule.id).copied().unwrap_or_default();
            let decided_by = match rule.by {
                By::Elsewhere(who) => who,
                By::Unread(_) => return None,
                By::Host(_) | By::Change(_) | By::Group(_) => "rules",
            };
            let Rule { id, title, .. } = *rule;
            let (severity, kind) = (rule.severity.as_str(), rule.kind.as_str());
            Some(Line { rule: id, severity, kind, title, decided_by, cases, mutants, missed })
        };
        let rules: Vec<Line> = table().filter_map(line).collect();
        let unread = table().filter_map(|rule| match rule.by {
            By::Unread(missing) => Some(NotDecidable { rule: rule.id, missing }),
            _ => None,
        });
        Report {
            rules_implemented: rules.iter().filter(|line| line.mutants > 0).count(),
            kept_elsewhere: rules.iter().filter(|line| line.mutants == 0).count(),
            mutants: rules.iter().map(|line| line.mutants).sum(),
            missed: all.len(),
            false_alarms: alarms.len(),
            clean_states: worlds.len(),
            not_decidable: unread.collect(),
            rules,
            not_seen: all,
            alarms,
        }
    })
}

fn told(all: &[String]) -> String {
    all.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_is_found_on_clean_fleets() {
    let proof = proof();
    assert!(proof.clean_states >= CLEAN_MIN, "only {} clean fleets", proof.clean_states);
    assert!(proof.alarms.is_empty(), "{} false alarms:\n{}", proof.alarms.len(), told(&proof.alarms));
}

#[test]
fn every_mutant_is_seen_by_its_rule() {
    let proof = proof();
    assert!(proof.not_seen.is_empty(), "{} mutants missed:\n{}", proof.missed, told(&proof.not_seen));
    let without = proof.rules.iter().filter(|line| line.decided_by == "rules" && line.mutants == 0);
    assert_eq!(without.map(|line| line.rule).collect::<Vec<_>>(), [""; 0], "rules without a mutant");
    let strangers = cases().into_iter().map(|(id, _)| id).filter(|id| rule(id).is_none());
    assert_eq!(strangers.collect::<Vec<_>>(), [""; 0], "cases of no rule");
}

/// Prints the report as one line, also when something is wrong, so that the tool can tell.
#[test]
fn report() {
    let line = serde_json::to_string(proof()).unwrap();
    writeln!(std::io::stdout(), "\n{line}").unwrap();
}

#[test]
fn ids_are_unique() {
    let all: Vec<&str> = known_ids().collect();
    let unique: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(all.len(), unique.len());
}

/// Nothing is known: every rule that looks at a host says so instead of passing.
#[test]
fn an_unreadable_host_passes_no_rule() {
    let mut world = worlds().remove(0);
    world.site = model::SiteDocument::default();
    let blind = &mut world.hosts[0].after;
    blind.management_vmk = Known::unreadable("no answer");
    blind.vswitches = Known::unreadable("no answer");
    blind.port_groups = Known::unreadable("no answer");
    blind.vmkernels = Known::unreadable("no answer");
    blind.nics = Known::unreadable("no answer");
    blind.netstacks = Known::unreadable("no answer");
    blind.vms = Known::unreadable("no answer");
    blind.dvs = Known::unreadable("no answer");
    let verdict = world.verdict();
    let passed =
        table().filter(|rule| matches!(rule.by, By::Host(_)) && !verdict.unknown.contains_key(rule.id));
    assert_eq!(passed.map(|rule| rule.id).collect::<Vec<_>>(), [""; 0]);
    assert!(
        verdict.new.iter().all(|found| found.finding.host.as_ref() != Some(&world.hosts[0].id)),
        "{:?}",
        verdict.new
    );
}

/// What was wrong before is listed and does not gate; with another value it is new.
#[test]
fn old_sins_do_not_gate() {
    let clean = worlds().remove(0);
    let promiscuous = &cases().into_iter().find(|(id, _)| id == "SEC-001").unwrap().1[0];
    let mut world = promiscuous.mutant(&clean);
    world.hosts[0].before = world.hosts[0].after.clone();
    let verdict = world.verdict();
    assert_eq!(verdict.new, []);
    assert_eq!(verdict.old.len(), 1);
    world.hosts[0].before = clean.hosts[0].before.clone();
    assert_eq!(world.verdict().new.len(), 1);
}

#[test]
fn waivers_and_severities_of_the_site_count_but_never_for_blockers() {
    let clean = worlds().remove(0);
    let all = cases();
    let mutant = |rule: &str| all.iter().find(|(id, _)| id == rule).unwrap().1[0].mutant(&clean);
    let waiver = |rule: &str, object: &str, expires: &str| model::Waiver {
        rule: rule.to_owned(),
        object: object.to_owned(),
        reason: "a sensor".to_owned(),
        expires: expires.to_owned(),
    };
    let mut world = mutant("SEC-001");
    world.site.waivers = vec![waiver("SEC-001", "prod/*/vswitches/vSwitch0", "2026-01-15")];
    let verdict = world.verdict();
    assert_eq!((verdict.new.len(), verdict.waived.len()), (0, 1));
    world.site.waivers = vec![waiver("SEC-001", "prod/*/vswitches/vSwitch0", "2026-01-14")];
    assert_eq!(world.verdict().new.len(), 1, "expired yesterday");
    world.site.waivers = vec![waiver("SEC-001", "prod/*/vswitches/vSwitch1", "2026-12-31")];
    assert_eq!(world.verdict().new.len(), 1, "another object");
    world.site.severity = BTreeMap::from([("SEC-001".to_owned(), model::RuleSeverity::Info)]);
    assert_eq!(world.verdict().new[0].finding.severity, model::Severity::Info);
    world.site.severity = BTreeMap::from([("SEC-001".to_owned(), model::RuleSeverity::Off)]);
    assert_eq!(world.verdict().new, []);
    let mut world = mutant("TEAM-002");
    world.site.waivers = vec![waiver("TEAM-002", "*", "2026-12-31")];
    world.site.severity = BTreeMap::from([("TEAM-002".to_owned(), model::RuleSeverity::Off)]);
    let blockers = world.verdict().new;
    assert!(blockers.iter().any(|found| found.finding.severity == model::Severity::Blocker), "{blockers:?}");
}
