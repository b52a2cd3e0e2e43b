//! Hosts and groups.

use super::fixtures::{accept, acceptance, add_hosts, desired, group, host, known};
use super::{assert_not_found, for_each_db, in_tx};
use crate::store::hosts::{self, CommitHost, HostFilter, HostStatus};
use crate::store::identities;
use model::{BootId, DriftPolicy, Generation, GroupDocument, HostId, HostSelector, Wall};
use std::collections::BTreeMap;

fn names(page: &hosts::Page<hosts::HostRecord>) -> Vec<&str> {
    page.items.iter().map(|h| h.id.as_str()).collect()
}

#[tokio::test]
async fn documents_make_hosts_known_and_never_forget_them() {
    for_each_db(async |db| {
        let document = GroupDocument {
            members: HostSelector::Hosts(vec![host("esx-01")]),
            failure_domain: Some("rack".into()),
            rollout: None,
            drift: DriftPolicy::Report,
        };
        let groups = BTreeMap::from([(group("prod"), document.clone())]);
        let both = [known("esx-01", "prod"), known("esx-02", "lab")];
        in_tx!(db, tx => hosts::upsert_known_hosts(&mut tx, &groups, &both, Wall(5))).unwrap();
        in_tx!(db, tx => hosts::upsert_known_hosts(&mut tx, &groups, &both[..1], Wall(6))).unwrap();
        let first = hosts::get(&db, &host("esx-01")).await.unwrap().unwrap();
        assert_eq!((first.status, first.listed), (HostStatus::Expected, true));
        assert_eq!(first.group, Some(group("prod")));
        assert_eq!(first.labels, both[0].labels);
        let second = hosts::get(&db, &host("esx-02")).await.unwrap().unwrap();
        assert!(!second.listed, "kept, but no longer named");
        let stored = hosts::groups(&db).await.unwrap();
        assert_eq!(stored.len(), 2);
        assert_eq!((stored[0].id.as_str(), &stored[0].document), ("lab", &None));
        assert_eq!(stored[1].document, Some(document));
        in_tx!(db, tx => hosts::upsert_known_hosts(&mut tx, &BTreeMap::new(), &[], Wall(7))).unwrap();
        assert!(hosts::groups(&db).await.unwrap().iter().all(|g| !g.listed));
        assert_eq!(hosts::get(&db, &host("nobody")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_host_may_enrol_before_any_document_names_it() {
    for_each_db(async |db| {
        let new = host("esx-09");
        in_tx!(db, tx => hosts::enrol(&mut tx, &new, Some(&group("lab")), Wall(10))).unwrap();
        let stored = hosts::get(&db, &new).await.unwrap().unwrap();
        assert_eq!((stored.status, stored.listed), (HostStatus::Enrolled, false));
        assert_eq!((stored.group, stored.enrolled_at), (Some(group("lab")), Some(Wall(10))));
        in_tx!(db, tx => hosts::upsert_known_hosts(&mut tx, &BTreeMap::new(), &[known("esx-09", "prod")], Wall(11)))
            .unwrap();
        in_tx!(db, tx => hosts::enrol(&mut tx, &new, Some(&group("lab")), Wall(12))).unwrap();
        let stored = hosts::get(&db, &new).await.unwrap().unwrap();
        assert_eq!(stored.group, Some(group("prod")), "the documents win");
        in_tx!(db, tx => identities::set_status(&mut tx, &new, HostStatus::Quarantined, Some("why"), Wall(12))).unwrap();
        in_tx!(db, tx => hosts::note_agent(&mut tx, &new, "0.1.0", &BootId("b\0".into()), Wall(13))).unwrap();
        let stored = hosts::get(&db, &new).await.unwrap().unwrap();
        assert_eq!((stored.status, stored.last_seen), (HostStatus::Quarantined, Some(Wall(13))));
        assert_eq!(stored.boot_id, Some(BootId("b\u{fffd}".into())));
        assert_not_found(in_tx!(db, tx => identities::set_status(&mut tx, &host("nobody"), HostStatus::Revoked, None, Wall(13))));
    })
    .await;
}

#[tokio::test]
async fn lists_by_page_and_filter() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b", "c", "d", "e"]).await;
        in_tx!(db, tx => hosts::enrol(&mut tx, &host("b"), None, Wall(1))).unwrap();
        in_tx!(db, tx => hosts::enrol(&mut tx, &host("x"), Some(&group("lab")), Wall(1))).unwrap();
        let all = HostFilter::default();
        let first = hosts::list(&db, &all, None, 4).await.unwrap();
        assert_eq!(names(&first), ["a", "b", "c", "d"]);
        let second = hosts::list(&db, &all, first.next.as_ref(), 4).await.unwrap();
        assert_eq!((names(&second), second.next.as_ref()), (vec!["e", "x"], None));
        let lab = HostFilter { group: Some(group("lab")), status: None };
        assert_eq!(names(&hosts::list(&db, &lab, None, 9).await.unwrap()), ["x"]);
        let enrolled = HostFilter { group: Some(group("prod")), status: Some(HostStatus::Enrolled) };
        assert_eq!(names(&hosts::list(&db, &enrolled, None, 9).await.unwrap()), ["b"]);
    })
    .await;
}

#[tokio::test]
async fn last_seen_is_written_in_bulk_and_never_goes_back() {
    for_each_db(async |db| {
        let ids: Vec<String> = (0..450).map(|n| format!("h{n:03}")).collect();
        add_hosts(&db, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let mut seen: BTreeMap<HostId, Wall> = ids.iter().map(|id| (host(id), Wall(100))).collect();
        seen.insert(host("stranger"), Wall(100));
        in_tx!(db, tx => hosts::touch_last_seen_bulk(&mut tx, &seen)).unwrap();
        let older = BTreeMap::from([(host("h000"), Wall(99)), (host("h001"), Wall(101))]);
        in_tx!(db, tx => hosts::touch_last_seen_bulk(&mut tx, &older)).unwrap();
        let page = hosts::list(&db, &HostFilter::default(), None, 1000).await.unwrap();
        assert_eq!(page.items.len(), 450);
        let at = |n: usize| page.items[n].last_seen;
        assert_eq!((at(0), at(1), at(449)), (Some(Wall(100)), Some(Wall(101)), Some(Wall(100))));
    })
    .await;
}

#[tokio::test]
async fn generations_only_grow_and_a_commit_takes_the_plans_state() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b"]).await;
        in_tx!(db, tx => hosts::note_held_generation(&mut tx, &host("a"), Generation(41))).unwrap();
        in_tx!(db, tx => hosts::note_held_generation(&mut tx, &host("a"), Generation(3))).unwrap();
        let given = accept(&db, &acceptance("c1", &["a", "b"], 20, 5)).await;
        assert_eq!(given, BTreeMap::from([(host("a"), Generation(42)), (host("b"), Generation(1))]));
        let change = super::fixtures::change_id("c1");
        let commit = async |generation| {
            in_tx!(db, tx => hosts::commit_host(&mut tx, &host("a"), &change, Generation(generation), Wall(9))).unwrap()
        };
        assert_eq!(commit(41).await, CommitHost::Unchanged, "there is no such plan");
        assert_eq!(commit(42).await, CommitHost::Committed);
        assert_eq!(commit(42).await, CommitHost::Unchanged, "a repeat");
        let stored = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!(stored.generation_committed, Generation(42));
        assert_eq!(stored.committed_rfc.map(|n| n.0), Some(7));
        let committed = hosts::committed(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((committed.desired, committed.change), (desired(20), change.clone()));
        assert_eq!(hosts::committed(&db, &host("b")).await.unwrap(), None);
        assert_eq!(hosts::committed_page(&db, None, 10).await.unwrap().items.len(), 1);
    })
    .await;
}
