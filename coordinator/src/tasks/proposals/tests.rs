//! Branches are reviewed as they would be merged, and nothing comes of it.

use super::*;
use crate::store::changes;
use crate::tasks::testkit::{World, documents, rfc, web};
use model::Disruption;

fn with_rfc(hosts: &[&str], vlan: u16, number: u32) -> Vec<(String, String)> {
    let mut files = documents(hosts, &web(vlan));
    files.push(rfc(number, ""));
    files
}

async fn look(world: &World, branch: &str) -> ReviewFacts {
    world.reviewer().review(branch, format!("refs/heads/{branch}")).await.unwrap()
}

fn rules(facts: &ReviewFacts) -> Vec<&str> {
    facts.findings.iter().map(|found| found.finding.rule.as_str()).collect()
}

#[tokio::test]
async fn a_branch_is_planned_on_every_host_and_nothing_is_accepted() {
    let mut world = World::new(&["a", "b"]).await;
    let change = world.push(&documents(&["a", "b", "c"], "port_groups: {}\n")).await;
    world.commit_all(&change).await;
    world.forge.commit_on("refs/heads/topic", &with_rfc(&["a", "b", "c"], 5, 1));
    let facts = look(&world, "topic").await;
    assert_eq!(facts.verdict, Verdict::Ready, "{facts:?}");
    assert_eq!((facts.hosts_named, facts.hosts_changed, facts.classes.len()), (3, 2, 1));
    assert_eq!(facts.classes[0].hosts.len(), 2, "equal plans are folded");
    assert!(facts.classes[0].steps[0].esxcli.starts_with("esxcli network vswitch standard portgroup add"));
    assert_eq!(facts.rfc.as_deref(), Some("RFC-1: Add a port group"));
    assert_eq!(facts.schedule.as_ref().unwrap().waves.len(), 2);
    assert_eq!((facts.touched[0].kind.as_str(), facts.touched[0].name.as_str()), ("port_group", "web"));
    assert_eq!(facts.unknown, ["1 host (c) not enrolled: planned when first read"]);
    assert!(facts.headline().starts_with("can be merged: 2 hosts would change, worst disruption none"));
    assert_eq!(changes::list(&world.db, 10).await.unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn what_would_be_refused_is_told_with_its_place() {
    let mut world = World::new(&["a"]).await;
    let change = world.push(&documents(&["a"], "port_groups: {}\n")).await;
    world.commit_all(&change).await;
    world.forge.commit_on("refs/heads/no-rfc", &documents(&["a"], &web(5)));
    let facts = look(&world, "no-rfc").await;
    assert_eq!(facts.verdict, Verdict::Refused);
    assert_eq!(rules(&facts)[0], review::NO_RFC, "errors come first");
    assert_eq!((facts.hosts_changed, facts.hosts_carried), (1, 0), "the plan is shown all the same");
    world.forge.commit_on("refs/heads/wrong", &with_rfc(&["a"], 5000, 1));
    let facts = look(&world, "wrong").await;
    assert_eq!(facts.verdict, Verdict::Refused);
    let span = facts.findings[0].finding.span.as_ref().unwrap();
    assert_eq!((span.file.as_str(), span.line), ("groups/g/network.yaml", 1));
    assert_eq!(facts.disruption, Disruption::None);
    world.stop().await;
}

#[tokio::test]
async fn the_merge_result_counts_and_a_conflict_is_a_verdict() {
    let mut world = World::new(&["a"]).await;
    let change = world.push(&with_rfc(&["a"], 5, 1)).await;
    world.commit_all(&change).await;
    // Begun here; the branch goes on.
    world.forge.commit_on("refs/heads/theirs", &with_rfc(&["a"], 6, 2));
    let mut notes = with_rfc(&["a"], 5, 1);
    notes.push(("groups/g/README.md".to_owned(), "words\n".to_owned()));
    world.forge.commit_on("refs/heads/old", &notes);
    let change = world.push(&with_rfc(&["a"], 7, 3)).await;
    world.commit_all(&change).await;
    // What `old` does not touch comes from the branch; nobody has read the host since, so its plan is still there.
    let facts = look(&world, "old").await;
    assert_eq!((facts.hosts_changed, facts.hosts_carried), (1, 1), "{facts:?}");
    assert!(facts.classes[0].steps[1].esxcli.ends_with("--vlan-id=7"), "{facts:?}");
    let facts = look(&world, "theirs").await;
    assert_eq!(facts.verdict, Verdict::Conflict);
    assert_eq!(
        (facts.conflicts.as_slice(), facts.conflict_count),
        (&["groups/g/network.yaml".to_owned()][..], 1)
    );
    let facts = look(&world, "main").await;
    assert_eq!(facts.verdict, Verdict::Contained);
    world.stop().await;
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_an_error_of_its_own() {
    let mut world = World::new(&[]).await;
    world.push(&documents(&["a"], "port_groups: {}\n")).await;
    let error = world.reviewer().review("nope", "refs/heads/nope".to_owned()).await.unwrap_err();
    assert!(matches!(&error, ReviewProposalError::NoRef(text) if text.contains("nope")), "{error}");
    world.stop().await;
}
