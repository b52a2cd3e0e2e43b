//! Rollouts that wait for approval, and what hosts are sent as proof.

use super::RolloutCommandError;
use crate::release::testkit::{Person, set, store};
use crate::store::approvals::{self, ApprovalKind, ApprovalRecord};
use crate::store::changes::ChangeRecord;
use crate::store::{releases, rollouts};
use crate::tasks::testkit::{World, documents, eventually, read_order, rfc, web};
use engine::release::{Part, seal};
use model::{OutcomeKind, RELEASE_FORMAT, ReleaseManifest, RolloutPhase, Wall};

const HOSTS: [&str; 3] = ["h01", "h02", "h03"];

async fn sign(world: &World, change: &ChangeRecord, person: &Person) {
    let manifest = releases::get(&world.db, &change.id).await.unwrap().unwrap().manifest;
    let approval = ApprovalRecord {
        key: person.approver.key.clone(),
        kind: ApprovalKind::Approval,
        approver: person.approver.name.clone(),
        signature: person.sign(&manifest),
        created: Wall(7),
    };
    let mut tx = world.db.begin().await.unwrap();
    approvals::add(&mut tx, &change.id, &approval).await.unwrap();
    tx.commit().await.unwrap();
    world.tasks.driver.wake().await;
}

async fn waits(world: &World, change: &ChangeRecord, words: &str) {
    eventually(words, async || {
        let record = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
        (record.phase == RolloutPhase::Pending && record.reason.as_deref() == Some(words)).then_some(())
    })
    .await;
}

fn files() -> Vec<(String, String)> {
    let mut files = documents(&HOSTS, &web(120));
    files.push(rfc(7, ""));
    files
}

#[tokio::test]
async fn a_rollout_waits_for_its_approvers_also_over_a_restart() {
    let mut world = World::new(&HOSTS).await;
    let (ben, chloe) = (Person::new("Ben", 1), Person::new("Chloe", 2));
    store(&world.db, &set("g", 1, 2, &[&ben, &chloe])).await;
    let change = world.push(&files()).await;
    waits(&world, &change, "waits for approval: 0 of 2 (set g)").await;
    sign(&world, &change, &ben).await;
    waits(&world, &change, "waits for approval: 1 of 2 by Ben (set g)").await;
    world.restart().await;
    sign(&world, &change, &ben).await;
    assert!(world.unread_orders().is_empty(), "nobody was told anything");
    sign(&world, &change, &chloe).await;
    world.phase(&change, RolloutPhase::Running).await;
    let running = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
    assert_eq!(running.reason, None);
    assert_eq!(world.commit_all(&change).await, HOSTS);
}

#[tokio::test]
async fn a_host_is_sent_the_stored_text_and_a_proof_that_adds_up() {
    let mut world = World::new(&HOSTS).await;
    let ben = Person::new("Ben", 1);
    store(&world.db, &set("default", 1, 1, &[&ben])).await;
    let change = world.push(&files()).await;
    sign(&world, &change, &ben).await;
    let mut parts = Vec::new();
    let mut manifest = Vec::new();
    for _ in HOSTS {
        let offer = world.offer().await;
        let order = read_order(&offer);
        let proof = offer.proof.unwrap();
        let leaf = releases::leaf(&world.db, &change.id, &order.host).await.unwrap().unwrap();
        assert_eq!(offer.order_json, leaf.order.as_bytes());
        assert_eq!((proof.parent, proof.wave, proof.leaf_index), (leaf.parent, leaf.wave, leaf.leaf_index));
        assert_eq!((proof.signatures.len(), proof.coordinator_signature.len()), (1, 64));
        parts.push(Part { order: offer.order_json, parent: proof.parent, wave: proof.wave });
        manifest = proof.manifest;
        world.end(&order, OutcomeKind::Committed).await;
    }
    let manifest: ReleaseManifest = serde_json::from_slice(&manifest).unwrap();
    assert_eq!((manifest.format, manifest.hosts), (RELEASE_FORMAT, 3));
    assert_eq!(seal(&parts).unwrap().root, manifest.root);
    assert!(manifest.repository.starts_with("file:///"), "{}", manifest.repository);
}

#[tokio::test]
async fn a_pause_is_no_way_round_the_approval() {
    let mut world = World::new(&HOSTS).await;
    let ben = Person::new("Ben", 1);
    store(&world.db, &set("default", 1, 1, &[&ben])).await;
    let change = world.push(&files()).await;
    waits(&world, &change, "waits for approval: 0 of 1 (set default)").await;
    let rollout = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap().id;
    let driver = world.tasks.driver.clone();
    driver.pause(&rollout, "operator", "lunch").await.unwrap();
    let refused = driver.resume(&rollout, "operator", "go").await;
    assert!(
        matches!(&refused, Err(RolloutCommandError::Unapproved { waits_for, .. }) if waits_for.contains("0 of 1")),
        "{refused:?}"
    );
    sign(&world, &change, &ben).await;
    let paused = rollouts::get(&world.db, &rollout).await.unwrap().unwrap();
    assert_eq!(paused.phase, RolloutPhase::Paused, "an approval does not end a pause");
    driver.resume(&rollout, "operator", "go").await.unwrap();
    assert_eq!(world.commit_all(&change).await, HOSTS);
}

#[tokio::test]
async fn a_new_commit_takes_the_place_of_one_that_waits() {
    let mut world = World::new(&HOSTS).await;
    let ben = Person::new("Ben", 1);
    store(&world.db, &set("default", 1, 1, &[&ben])).await;
    let first = world.push(&files()).await;
    waits(&world, &first, "waits for approval: 0 of 1 (set default)").await;
    let mut newer = documents(&HOSTS, &web(121));
    newer.extend([rfc(7, ""), rfc(8, "")]);
    let second = world.push(&newer).await;
    world.phase(&first, RolloutPhase::Aborted).await;
    waits(&world, &second, "waits for approval: 0 of 1 (set default)").await;
    sign(&world, &first, &ben).await;
    assert!(world.unread_orders().is_empty(), "the old approval is worth nothing");
    sign(&world, &second, &ben).await;
    assert_eq!(world.commit_all(&second).await, HOSTS);
}
