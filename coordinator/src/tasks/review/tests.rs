//! The rules between documents and the fleet.

use super::*;
use crate::repo::ChangeKind;
use crate::tasks::testkit::{documents, id, observed, rfc, web};

fn material(files: Vec<(String, String)>) -> Material {
    let changed =
        files.iter().map(|(path, _)| ChangedPath { path: path.clone(), kind: ChangeKind::Added }).collect();
    Material {
        info: CommitInfo {
            id: "1".repeat(40).parse().unwrap(),
            parents: Vec::new(),
            author_name: "Ann".to_owned(),
            author_email: String::new(),
            time_unix_s: 0,
            summary: String::new(),
            message: String::new(),
        },
        base: None,
        files: files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect(),
        refused: Vec::new(),
        changed,
    }
}

fn view(status: HostStatus) -> HostView {
    HostView { status, committed: None, observed: Some(observed()) }
}

fn fleet(names: &[&str]) -> BTreeMap<HostId, HostView> {
    names.iter().map(|name| (id(name), view(HostStatus::Enrolled))).collect()
}

fn decide(files: Vec<(String, String)>, fleet: &BTreeMap<HostId, HostView>) -> Review {
    let material = material(files);
    let documents = read(&material, "2026-01-01");
    assert!(!documents.findings.iter().any(Finding::is_error), "{:?}", documents.findings);
    review(documents, &material, fleet, &Scope::Commit)
}

fn errors(review: &Review) -> Vec<&str> {
    review.findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.rule.as_str()).collect()
}

fn with_rfcs(hosts: &[&str], network: &str, rfcs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut files = documents(hosts, network);
    files.extend(rfcs);
    files
}

#[test]
fn an_rfc_is_needed_for_steps_only_and_needed_alone() {
    let fleet = fleet(&["a"]);
    assert!(errors(&decide(documents(&["a"], "port_groups: {}\n"), &fleet)).is_empty());
    assert_eq!(errors(&decide(documents(&["a"], &web(5)), &fleet)), [NO_RFC]);
    let two = vec![rfc(1, ""), rfc(2, "")];
    assert_eq!(errors(&decide(with_rfcs(&["a"], &web(5), two.clone()), &fleet)), [MANY_RFCS]);
    assert!(errors(&decide(with_rfcs(&["a"], "port_groups: {}\n", two), &fleet)).is_empty());
    let (path, text) = rfc(1, "");
    let draft = vec![(path, text.replace("proposed", "draft"))];
    assert_eq!(errors(&decide(with_rfcs(&["a"], &web(5), draft), &fleet)), [RFC_NOT_PROPOSED]);
}

#[test]
fn the_rfc_stages_the_rollout_and_bounds_the_disruption() {
    let more = "rollout: {canary: 2, soak_secs: 9, failure_budget: 3}\nrisk: {likelihood: 1, impact: 1, allow: none}\nprobes: [mgmt-gateway]\n";
    let review = decide(with_rfcs(&["a", "b", "c"], &web(5), vec![rfc(1, more)]), &fleet(&["a", "b", "c"]));
    assert!(errors(&review).is_empty(), "{:?}", review.findings);
    let (spec, state) = review.rollout.unwrap();
    assert_eq!((spec.canary, spec.soak.0, spec.failure_budget, spec.max_parallel), (2, 9_000, 3, 2));
    assert_eq!(state.waves().iter().map(|wave| wave.hosts.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(review.disruption_allowed, Disruption::None);
    assert_eq!(review.probes.probes, ["mgmt-gateway"]);
}

#[test]
fn a_plan_worse_than_allowed_refuses() {
    let mut fleet = fleet(&["a"]);
    let existing = web(5).replace("web", "old");
    // Moving a port group to another VLAN is a loss of traffic for what hangs on it.
    let review = decide(with_rfcs(&["a"], &existing, vec![rfc(1, "")]), &fleet);
    let mut made = observed();
    for step in &review.plans[0].plan.steps {
        let _ = engine::project::project(&mut made, &step.operation);
    }
    fleet.get_mut(&id("a")).unwrap().observed = Some(made);
    let moved = existing.replace("vlan: 5", "vlan: 6");
    let refused = decide(
        with_rfcs(&["a"], &moved, vec![rfc(1, "risk: {likelihood: 1, impact: 1, allow: none}\n")]),
        &fleet,
    );
    let allowed = decide(with_rfcs(&["a"], &moved, vec![rfc(1, "")]), &fleet);
    assert_eq!(allowed.disruption_allowed, DISRUPTION_ALLOWED_DEFAULT);
    assert!(allowed.plans[0].plan.disruption > Disruption::None, "{:?}", allowed.plans);
    assert_eq!(errors(&refused), [TOO_DISRUPTIVE]);
    assert!(errors(&allowed).is_empty());
}

#[test]
fn targets_are_kept_and_exclusions_left_out() {
    let fleet = fleet(&["a", "b"]);
    let files = |more: &str| with_rfcs(&["a", "b"], &web(5), vec![rfc(1, more)]);
    let review = decide(files("targets: {groups: [other]}\n"), &fleet);
    assert_eq!(errors(&review), [NOT_TARGETED, NOT_TARGETED]);
    let review = decide(files("targets: {groups: [g], exclude: [b]}\n"), &fleet);
    assert!(errors(&review).is_empty());
    assert_eq!(review.plans.iter().map(|plan| plan.host.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn hosts_without_certificate_wait_and_hosts_in_doubt_are_left_out() {
    let mut fleet = fleet(&["a"]);
    fleet.insert(id("b"), view(HostStatus::Expected));
    fleet.insert(id("c"), view(HostStatus::Quarantined));
    let review = decide(with_rfcs(&["a", "b", "c", "d"], &web(5), vec![rfc(1, "")]), &fleet);
    assert!(errors(&review).is_empty());
    let rules: Vec<&str> = review.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert!(rules.contains(&NOT_ENROLLED) && rules.contains(&SET_ASIDE), "{rules:?}");
    assert_eq!(review.plans.len(), 1);
}

#[test]
fn a_confirmed_host_without_steps_is_not_touched() {
    let mut fleet = fleet(&["a"]);
    let first = decide(documents(&["a"], "port_groups: {}\n"), &fleet);
    fleet.get_mut(&id("a")).unwrap().committed = Some(first.plans[0].desired.clone());
    let second = decide(documents(&["a"], "port_groups: {}\n"), &fleet);
    assert!(second.plans.is_empty() && second.rollout.is_none());
}

#[test]
fn refused_entries_are_errors_with_a_place() {
    let mut material = material(documents(&["a"], "port_groups: {}\n"));
    material.refused =
        vec![RefusedEntry { path: "groups/g/link".to_owned(), reason: crate::repo::Refusal::Symlink }];
    let documents = read(&material, "2026-01-01");
    let finding = documents.findings.iter().find(|finding| finding.rule == REFUSED_ENTRY).unwrap();
    assert!(finding.is_error() && finding.to_string().contains("groups/g/link"));
}

#[test]
fn a_bad_idea_is_refused_an_old_or_waived_one_stops_nobody() {
    let trunk = with_rfcs(&["a"], &web(4095), vec![rfc(1, "")]);
    assert_eq!(errors(&decide(trunk.clone(), &fleet(&["a"]))), ["VLAN-001"]);
    let mut old = fleet(&["a"]);
    let seen = old.get_mut(&id("a")).unwrap().observed.as_mut().unwrap();
    let done = plan(&engine::documents::parse_network("n", &web(4095)).unwrap(), seen).plan;
    for step in &done.steps {
        engine::project::project(seen, &step.operation).unwrap();
    }
    assert!(errors(&decide(trunk.clone(), &old)).is_empty());
    let waiver = "schema: 1\nwaivers: [{rule: VLAN-001, object: \"*/port_groups/web\", reason: r, expires: 2026-12-31}]\n";
    let waived = trunk.into_iter().map(|(path, text)| match path.as_str() {
        "pointsman.yaml" => (path, waiver.to_owned()),
        _ => (path, text),
    });
    assert!(errors(&decide(waived.collect(), &fleet(&["a"]))).is_empty());
}
