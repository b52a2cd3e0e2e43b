//! Releases, approver sets and approvals.

use super::fixtures::{accept, acceptance, add_hosts, change_id, host, outcome, plan};
use super::{count, for_each_db, in_tx, run_sql};
use crate::store::approvals::{self, ApprovalKind, ApprovalRecord};
use crate::store::approvers::{self, DEFAULT_SET, NewApproverSet};
use crate::store::{StoreError, hosts, outcomes, releases};
use engine::release::{Part, seal};
use model::{ApproverSet, Generation, HostGroupId, Millis, Order, OutcomeKind, ReleaseManifest, RfcId, Wall};

fn set(name: &str, version: u64) -> (ApproverSet, String) {
    let set = ApproverSet::new(name, version, 1, vec![]);
    let text = serde_json::to_string(&set).unwrap();
    (set, text)
}

#[tokio::test]
async fn an_accepted_change_has_a_release_that_its_orders_add_up_to() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b", "c"]).await;
        let mut wanted = acceptance("c1", &["a", "b", "c"], 20, 5_000);
        if let Some(rollout) = &mut wanted.rollout {
            rollout.spec.soak = Millis::from_secs(90);
        }
        accept(&db, &wanted).await;
        let record = releases::get(&db, &change_id("c1")).await.unwrap().unwrap();
        let manifest: ReleaseManifest = serde_json::from_str(&record.manifest).unwrap();
        assert_eq!((manifest.change.as_str(), manifest.commit.as_str()), ("c1", "commit-c1"));
        assert_eq!((manifest.rfc, manifest.hosts, manifest.number), (Some(RfcId(7)), 3, 1));
        assert_eq!(manifest.repository, "https://git.example.com/network");
        assert_eq!(manifest.wave_delays_secs, [0, 90, 180], "one soak more for each wave");
        assert_eq!((manifest.not_before, manifest.not_after), (Wall(5_000), record.not_after));
        let mut parts = Vec::new();
        for name in ["a", "b", "c"] {
            let leaf = releases::leaf(&db, &change_id("c1"), &host(name)).await.unwrap().unwrap();
            let order: Order = serde_json::from_str(&leaf.order).unwrap();
            assert_eq!((order.host, order.generation), (host(name), Generation(1)));
            assert_eq!(order.plan_digest, plan(name, 20).plan.digest);
            assert_eq!(leaf.group, Some(HostGroupId::new("prod").unwrap()));
            parts.push((
                leaf.clone(),
                Part { order: leaf.order.into_bytes(), parent: leaf.parent, wave: leaf.wave },
            ));
        }
        let built: Vec<Part> = parts.iter().map(|(_, part)| part.clone()).collect();
        let sealed = seal(&built).unwrap();
        assert_eq!(sealed.root, manifest.root);
        for ((leaf, _), again) in parts.iter().zip(&sealed.leaves) {
            assert_eq!((leaf.leaf_index, &leaf.path), (again.index, &again.path));
        }
        assert_eq!(releases::leaf(&db, &change_id("c1"), &host("x")).await.unwrap(), None);
        let page = releases::parts(&db, &change_id("c1"), Some(&host("a")), 1).await.unwrap();
        assert_eq!((page.items[0].host.as_str(), page.items[0].wave), ("b", 1));
        assert_eq!(page.items[0].steps, plan("b", 20).plan.steps);
        assert_eq!(page.next, Some(host("b")));
        let groups = releases::groups(&db, &change_id("c1")).await.unwrap();
        assert_eq!(groups, [(Some(HostGroupId::new("prod").unwrap()), 3)]);
    })
    .await;
}

#[tokio::test]
async fn a_host_in_no_wave_is_not_accepted() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b"]).await;
        let mut wrong = acceptance("c1", &["a", "b"], 20, 5);
        if let Some(rollout) = &mut wrong.rollout {
            rollout.waves.truncate(1);
        }
        let refused = in_tx!(db, tx => crate::store::changes::accept_change(&mut tx, &wrong, "t"));
        assert!(matches!(refused, Err(StoreError::Conflict { what: "rollout", .. })), "{refused:?}");
        assert_eq!(count(&db, "SELECT COUNT(*) FROM releases").await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_parent_is_what_the_host_has_now() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let parent = async |change: &str| {
            let leaf = releases::leaf(&db, &change_id(change), &host("a")).await.unwrap();
            leaf.unwrap().parent
        };
        let end = async |change: &str, generation, kind| {
            let outcome = outcome(change, generation, kind);
            in_tx!(db, tx => outcomes::record(&mut tx, &host("a"), &outcome, Wall(9))).unwrap()
        };
        let back = || OutcomeKind::RolledBack { reason: "undone at the console".to_owned() };
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        assert_eq!(parent("c1").await, Generation(0), "nothing was committed yet");
        end("c1", 1, OutcomeKind::Committed).await;
        accept(&db, &acceptance("c2", &["a"], 21, 6)).await;
        assert_eq!(parent("c2").await, Generation(1));
        end("c2", 2, OutcomeKind::Committed).await;
        end("c1", 1, back()).await;
        accept(&db, &acceptance("c3", &["a"], 22, 7)).await;
        assert_eq!(parent("c3").await, Generation(2), "an old undo changes nothing");
        end("c2", 2, back()).await;
        accept(&db, &acceptance("c4", &["a"], 23, 8)).await;
        assert_eq!(parent("c4").await, Generation(1), "the last commit was undone");
        in_tx!(db, tx => hosts::note_reported_generation(&mut tx, &host("a"), Generation(0))).unwrap();
        accept(&db, &acceptance("c5", &["a"], 24, 9)).await;
        assert_eq!(parent("c5").await, Generation(0), "the host says that it has nothing");
    })
    .await;
}

#[tokio::test]
async fn sets_are_kept_in_every_version_and_speak_for_groups() {
    for_each_db(async |db| {
        for (name, version) in [(DEFAULT_SET, 1), ("prod", 3), ("prod", 4), ("prod", 7)] {
            let (set, document) = set(name, version);
            let new = NewApproverSet {
                set: &set,
                document: &document,
                rotation: None,
                imported_by: "operator",
                now: Wall(4),
            };
            in_tx!(db, tx => approvers::add(&mut tx, &new)).unwrap();
            let twice = in_tx!(db, tx => approvers::add(&mut tx, &new));
            assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
        }
        let newest = approvers::newest(&db).await.unwrap();
        let versions: Vec<(&str, u64)> =
            newest.iter().map(|record| (record.set.name.as_str(), record.set.version)).collect();
        assert_eq!(versions, [("default", 1), ("prod", 7)]);
        let after: Vec<u64> = approvers::after(&db, "prod", 3, 9)
            .await
            .unwrap()
            .iter()
            .map(|record| record.set.version)
            .collect();
        assert_eq!(after, [4, 7]);
        let group = |name: &str| HostGroupId::new(name).unwrap();
        let speaks =
            |group: Option<&HostGroupId>| approvers::for_group(&newest, group).map(|r| r.set.name.clone());
        assert_eq!(speaks(Some(&group("prod"))).as_deref(), Some("prod"));
        assert_eq!(speaks(Some(&group("lab"))).as_deref(), Some("default"));
        assert_eq!(speaks(None).as_deref(), Some("default"));
        assert_eq!(approvers::for_group(&newest[1..], None), None);
        run_sql(&db, "UPDATE approver_sets SET version = 9 WHERE version = 7").await;
        let wrong = approvers::newest(&db).await;
        assert!(matches!(wrong, Err(StoreError::Inconsistent { table: "approver_sets", .. })), "{wrong:?}");
    })
    .await;
}

#[tokio::test]
async fn one_key_signs_once_and_once_more_for_emergencies() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        let approval = |kind, created| ApprovalRecord {
            key: "ssh-ed25519 AAAA".to_owned(),
            kind,
            approver: "Ben".to_owned(),
            signature: "armour".to_owned(),
            created: Wall(created),
        };
        let add = async |approval: &ApprovalRecord| {
            in_tx!(db, tx => approvals::add(&mut tx, &change_id("c1"), approval)).unwrap()
        };
        assert!(add(&approval(ApprovalKind::Approval, 6)).await);
        assert!(!add(&approval(ApprovalKind::Approval, 7)).await);
        assert!(add(&approval(ApprovalKind::BreakGlass, 8)).await);
        let stored = approvals::of_change(&db, &change_id("c1")).await.unwrap();
        assert_eq!(stored, [approval(ApprovalKind::Approval, 6), approval(ApprovalKind::BreakGlass, 8)]);
    })
    .await;
}
