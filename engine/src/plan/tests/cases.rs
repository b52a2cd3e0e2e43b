//! Readable cases, one folder each below `engine/tests/cases`.
//!
//! `before.yaml` is made real on a blank host, `desired.yaml` is planned, `plan.txt` holds the plan as text.
//! Beside them may lie `links.txt` (NICs without link), `machines.txt` (`machine: port group`, running) and
//! `unreadable.txt` (facts the host does not tell, as paths). `UPDATE_EXPECT=1` writes the plans anew.

use super::world::{NICS, blank, realise, vmnic};
use crate::documents::parse_network;
use crate::plan::{Planned, plan};
use crate::safety::{SafetyLimits, check_plan};
use model::{DesiredNetwork, LinkState, ObservedNetwork, ObservedVm, Operation};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const EXPECTED: &str = "plan.txt";
/// The least number of cases; fewer means that the folder was not found.
const CASES_MIN: usize = 18;
/// Fields that name the object of a call; they come first.
const NAMES: [&str; 6] = ["port_group", "vmk", "netstack", "vmnic", "network", "vswitch"];

fn optional(case: &Path, file: &str) -> String {
    fs::read_to_string(case.join(file)).unwrap_or_default()
}

fn document(case: &Path, file: &str) -> DesiredNetwork {
    let text = fs::read_to_string(case.join(file)).unwrap();
    parse_network(file, &text).unwrap_or_else(|findings| panic!("{}: {findings:#?}", case.display()))
}

/// The host of a case.
fn host(case: &Path) -> ObservedNetwork {
    let down = optional(case, "links.txt");
    let links = std::array::from_fn::<LinkState, NICS, _>(|n| {
        let name = vmnic(n);
        if down.lines().any(|line| line == name.as_str()) { LinkState::Down } else { LinkState::Up }
    });
    let before = document(case, "before.yaml");
    let mut host = realise(&before, links).unwrap_or_else(|| {
        panic!("{}: before.yaml: {:#?}", case.display(), plan(&before, &blank(links)).findings)
    });
    for line in optional(case, "machines.txt").lines() {
        let (name, network) = line.split_once(": ").unwrap();
        let machine = ObservedVm { name: name.to_owned(), networks: vec![network.to_owned()] };
        host.vms.read_mut().unwrap().push(machine);
    }
    optional(case, "unreadable.txt").lines().fold(host, |host, path| without(&host, path))
}

/// The host with one fact unreadable, e.g. `vswitches.vSwitch0.teaming`.
fn without(host: &ObservedNetwork, path: &str) -> ObservedNetwork {
    let mut whole = serde_json::to_value(host).unwrap();
    let mut place = &mut whole;
    for part in path.split('.') {
        if place.get("read").is_some() {
            place = place.get_mut("read").unwrap();
        }
        place = place.get_mut(part).unwrap_or_else(|| panic!("`{part}` of `{path}` is not there"));
    }
    *place = json!({"unreadable": {"reason": "esxcli ended with exit code 1"}});
    serde_json::from_value(whole).unwrap()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains(' ') => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => format!("{{{}}}", fields(value)),
        other => other.to_string(),
    }
}

/// `name=value` for every field that is given; the fields of `change` stand with the others.
fn fields(value: &Value) -> String {
    let Value::Object(map) = value else { return String::new() };
    let given = map.iter().filter(|(_, value)| !value.is_null());
    let mut given: Vec<(usize, &String, &Value)> = given
        .map(|(name, value)| (NAMES.iter().position(|n| n == name).unwrap_or(NAMES.len()), name, value))
        .collect();
    given.sort_by_key(|(rank, name, _)| (*rank, *name));
    let field = |(_, name, value): (usize, &String, &Value)| match (name.as_str(), value) {
        ("change", Value::Object(_)) => fields(value),
        _ => format!("{name}={}", shown(value)),
    };
    given.into_iter().map(field).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn line(operation: &Operation) -> String {
    let value = serde_json::to_value(operation).unwrap();
    let (name, inner) = value.as_object().and_then(|map| map.iter().next()).unwrap();
    format!("{name} {}", fields(inner))
}

fn printed(planned: &Planned, host: &ObservedNetwork) -> String {
    let mut out = String::new();
    for (index, step) in planned.plan.steps.iter().enumerate() {
        writeln!(out, "{}. {}   [{}]", index + 1, line(&step.operation), step.disruption).unwrap();
        for back in &step.inverse {
            writeln!(out, "   undo: {}", line(back)).unwrap();
        }
        if step.inverse.is_empty() {
            writeln!(out, "   undo: nothing, goes with the object made above").unwrap();
        }
    }
    for finding in &planned.findings {
        writeln!(out, "{finding}").unwrap();
    }
    let end = match (planned.is_refused(), planned.plan.is_empty()) {
        (true, _) => "refused: nothing is planned".to_owned(),
        (false, true) => "nothing to do".to_owned(),
        (false, false) => format!("worst: {}", planned.plan.disruption),
    };
    writeln!(out, "{end}").unwrap();
    if let Err(violation) = check_plan(&planned.plan, host, &SafetyLimits::default()) {
        writeln!(out, "the host refuses it, forced or not: {violation}").unwrap();
    }
    out
}

#[test]
fn every_case_gives_its_expected_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let mut wrong = Vec::new();
    for case in &cases {
        let host = host(case);
        let got = printed(&plan(&document(case, "desired.yaml"), &host), &host);
        let expected = case.join(EXPECTED);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, &got).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", case.display()));
        }
    }
    assert!(cases.len() >= CASES_MIN, "only {} cases found", cases.len());
    assert!(wrong.is_empty(), "UPDATE_EXPECT=1 writes these after a look:\n{}", wrong.join("\n"));
}
