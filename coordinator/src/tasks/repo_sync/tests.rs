//! From a commit to orders, with a real repository and a real database.

use super::{OBSERVED_WAIT_MAX, observed_wait};
use crate::store::changes::ChangeStatus;
use crate::store::rfcs::{self, RfcState};
use crate::store::{audit, hosts, plans, rollouts, witness_waivers};
use crate::tasks::review;
use crate::tasks::testkit::{World, documents, eventually, id, rfc, web};
use model::{Generation, OutcomeKind, RfcId, RolloutPhase};

const HOSTS: [&str; 3] = ["h01", "h02", "h03"];

/// A world whose first commit is accepted and confirmed on every host.
async fn with_baseline(names: &[&str]) -> World {
    let mut world = World::new(names).await;
    let change = world.push(&documents(names, "port_groups: {}\n")).await;
    world.commit_all(&change).await;
    world
}

fn with_rfc(network: &str, number: u32) -> Vec<(String, String)> {
    let mut files = documents(&HOSTS, network);
    files.push(rfc(number, ""));
    files
}

fn rules(change: &crate::store::changes::ChangeRecord) -> Vec<&str> {
    change.findings.iter().filter(|f| f.is_error()).map(|f| f.rule.as_str()).collect()
}

#[tokio::test]
async fn a_first_commit_without_steps_becomes_the_baseline() {
    let mut world = World::new(&HOSTS).await;
    let change = world.push(&documents(&HOSTS, "port_groups: {}\n")).await;
    assert_eq!((change.status, change.rfc, change.parent.as_deref()), (ChangeStatus::Accepted, None, None));
    world.commit_all(&change).await;
    for name in HOSTS {
        let committed = hosts::committed(&world.db, &id(name)).await.unwrap().unwrap();
        assert_eq!((committed.generation, committed.change), (Generation(1), change.id.clone()));
    }
}

#[tokio::test]
async fn a_change_with_an_rfc_goes_canary_first_and_ends_implemented() {
    let mut world = with_baseline(&HOSTS).await;
    let change = world.push(&with_rfc(&web(120), 7)).await;
    assert_eq!(
        (change.status, change.rfc),
        (ChangeStatus::Accepted, Some(RfcId(7))),
        "{:?}",
        change.findings
    );
    let plan = plans::get(&world.db, &change.id, &id("h01")).await.unwrap().unwrap();
    assert!(plan.esxcli_lines[0].starts_with("esxcli network vswitch standard portgroup add"), "{plan:?}");
    let canary = world.order().await;
    assert_eq!((canary.host.as_str(), canary.generation), ("h01", Generation(2)));
    assert_eq!(canary.plan_digest, plan.plan.digest);
    assert!(world.unread_orders().is_empty(), "nobody else before the canary is committed");
    world.end(&canary, OutcomeKind::Committed).await;
    for _ in 0..2 {
        let order = world.order().await;
        world.end(&order, OutcomeKind::Committed).await;
    }
    world.phase(&change, RolloutPhase::Completed).await;
    assert_eq!(rfcs::get(&world.db, RfcId(7)).await.unwrap().unwrap().state, RfcState::Implemented);
    let trail = audit::list(&world.db, 50).await.unwrap();
    let actions: Vec<&str> = trail.iter().map(|entry| entry.action.as_str()).collect();
    assert!(actions.contains(&"change.accepted") && actions.contains(&"rollout.completed"), "{actions:?}");
}

#[tokio::test]
async fn a_refused_commit_leaves_the_fleet_untouched_and_says_why() {
    let mut world = with_baseline(&HOSTS).await;
    let refused = [
        (documents(&HOSTS, "port_groups: {web: {vlan: 99999}}\n"), "DOC-006"),
        (documents(&HOSTS, &web(120)), review::NO_RFC),
        (with_rfc("port_groups: {web: {vswitch: vSwitch9, vlan: 120}}\n", 7), ""),
    ];
    for (files, rule) in refused {
        let change = world.push(&files).await;
        assert_eq!(change.status, ChangeStatus::Refused);
        assert!(rule.is_empty() || rules(&change).contains(&rule), "{:?}", change.findings);
        assert!(!rules(&change).is_empty());
    }
    assert!(world.unread_orders().is_empty());
    assert!(rollouts::active(&world.db).await.unwrap().is_empty());
    let host = hosts::get(&world.db, &id("h01")).await.unwrap().unwrap();
    assert_eq!(host.generation_allocated, Generation(1));
    // The repair on top is judged against the last accepted commit: the RFC of the broken one counts.
    let change = world.push(&with_rfc(&web(120), 7)).await;
    assert_eq!(
        (change.status, change.rfc),
        (ChangeStatus::Accepted, Some(RfcId(7))),
        "{:?}",
        change.findings
    );
}

#[tokio::test]
async fn an_enrolled_host_that_was_never_read_refuses_until_it_was() {
    let world = World::new(&["h01"]).await;
    world.enrol("h02").await;
    let change = world.push(&documents(&["h01", "h02"], "port_groups: {}\n")).await;
    assert_eq!(rules(&change), [review::NOT_OBSERVED]);
    world.observe("h02").await;
    eventually("the commit is looked at again", async || {
        let change = world.change_of(&change.commit).await;
        (change.status == ChangeStatus::Accepted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_host_that_joins_later_gets_an_order_of_its_own() {
    let mut world = World::new(&["h01"]).await;
    let change = world.push(&documents(&["h01", "h02"], "port_groups: {}\n")).await;
    assert_eq!(change.status, ChangeStatus::Accepted);
    assert!(change.findings.iter().any(|finding| finding.rule == review::NOT_ENROLLED));
    assert_eq!(world.commit_all(&change).await, ["h01"]);
    world.enrol("h02").await;
    world.observe("h02").await;
    world.connect("h02").await;
    world.tasks.repo.nudge();
    let late = world.change_of(&format!("{}+2", change.commit)).await;
    assert_eq!(late.status, ChangeStatus::Accepted);
    assert_eq!(world.commit_all(&late).await, ["h02"]);
}

#[tokio::test]
async fn a_head_is_held_while_a_rollout_runs_and_the_newest_wins() {
    let mut world = with_baseline(&HOSTS).await;
    let first = world.push(&with_rfc(&web(120), 7)).await;
    let canary = world.order().await;
    let skipped = world.forge.commit(&with_rfc(&web(121), 8));
    world.tasks.repo.nudge();
    let mut status = world.tasks.repo.watch();
    status.wait_for(|status| status.held.is_some()).await.unwrap();
    let newest = world.forge.commit(&with_rfc(&web(122), 9));
    world.end(&canary, OutcomeKind::Committed).await;
    for _ in 0..2 {
        let order = world.order().await;
        assert_eq!(order.change, first.id);
        world.end(&order, OutcomeKind::Committed).await;
    }
    let second = world.change_of(&newest).await;
    assert_eq!(second.rfc, Some(RfcId(9)));
    assert_eq!(second.parent.as_deref(), Some(first.commit.as_str()));
    assert!(crate::store::changes::by_commit(&world.db, &skipped).await.unwrap().is_none());
}

#[tokio::test]
async fn a_broken_head_is_refused_even_while_a_rollout_runs() {
    let mut world = with_baseline(&HOSTS).await;
    let first = world.push(&with_rfc(&web(120), 7)).await;
    let canary = world.order().await;
    let broken = world.push(&documents(&HOSTS, "port_groups: [")).await;
    assert_eq!(broken.status, ChangeStatus::Refused);
    world.end(&canary, OutcomeKind::Committed).await;
    assert_eq!(world.order().await.change, first.id, "the rollout goes on");
}

#[tokio::test]
async fn a_halted_rollout_gives_way_to_a_correction() {
    let mut world = with_baseline(&HOSTS).await;
    let first = world.push(&with_rfc(&web(120), 7)).await;
    let canary = world.order().await;
    world.end(&canary, OutcomeKind::RolledBack { reason: "probe failed".to_owned() }).await;
    let record = world.phase(&first, RolloutPhase::Halted).await;
    assert!(record.reason.unwrap().contains("canary h01"));
    assert!(world.unread_orders().is_empty());
    assert_eq!(rfcs::get(&world.db, RfcId(7)).await.unwrap().unwrap().state, RfcState::Failed);
    let second = world.push(&with_rfc(&web(121), 8)).await;
    assert_eq!(second.status, ChangeStatus::Accepted, "{:?}", second.findings);
    assert!(world.phase(&first, RolloutPhase::Aborted).await.reason.unwrap().contains("superseded"));
    assert_eq!(world.change_of(&first.commit).await.status, ChangeStatus::Superseded);
    let hosts = world.commit_all(&second).await;
    assert_eq!(hosts[0], "h01");
    let host = crate::store::hosts::get(&world.db, &id("h01")).await.unwrap().unwrap();
    assert_eq!(host.generation_committed, Generation(3), "a generation is never given out twice");
}

#[tokio::test]
async fn a_change_whose_rfc_waives_witnesses_says_so_in_plan_and_audit() {
    let mut world = with_baseline(&HOSTS).await;
    let mut files = documents(&HOSTS, &web(120));
    files.push(rfc(7, "witnesses: {required: false, reason: All peers move to the other VLAN at once.}\n"));
    let change = world.push(&files).await;
    assert_eq!(change.status, ChangeStatus::Accepted, "{:#?}", change.findings);
    let found = change.findings.iter().find(|finding| finding.rule == review::WITNESSES_WAIVED).unwrap();
    assert!(found.message.contains("All peers move"), "{}", found.message);
    let reason = witness_waivers::of_change(&world.db, &change.id).await.unwrap();
    assert_eq!(reason.as_deref(), Some("All peers move to the other VLAN at once."));
    let trail = audit::list(&world.db, 100).await.unwrap();
    let noted = trail.iter().find(|entry| entry.action == "change.witnesses_waived").unwrap();
    assert_eq!(noted.subject, format!("change/{}", change.id));
    world.commit_all(&change).await;
    // The next change needs them again.
    let change = world.push(&with_rfc(&web(121), 8)).await;
    assert_eq!(witness_waivers::of_change(&world.db, &change.id).await.unwrap(), None);
    // Without a reason it is refused.
    let mut files = documents(&HOSTS, &web(122));
    files.push(rfc(9, "witnesses: {required: false}\n"));
    world.commit_all(&change).await;
    let change = world.push(&files).await;
    assert_eq!((change.status, rules(&change).as_slice()), (ChangeStatus::Refused, ["DOC-023"].as_slice()));
}

#[test]
fn looks_at_a_refused_head_become_rare_when_they_change_nothing() {
    let millis: Vec<u128> = (0..5).map(|same| observed_wait(same).as_millis()).collect();
    assert_eq!(millis, [300, 600, 1_200, 2_400, 4_800]);
    assert_eq!(observed_wait(u32::MAX), OBSERVED_WAIT_MAX);
}
