//! The group writer.

use super::fixtures::{accept, acceptance, add_hosts, change_id, host, network, outcome};
use super::{assert_not_found, count, for_each_db};
use crate::store::observations::RecordedObservation;
use crate::store::outcomes::RecordedOutcome;
use crate::store::{StoreError, hosts, outcomes, writer};
use crate::trust::{HostChain, Receipt};
use model::{DriftReport, Generation, OutcomeKind, Wall};
use std::collections::BTreeMap;

fn receipt() -> Receipt {
    Receipt { outcome_json: b"{}".to_vec(), signature: vec![1], certificate: HostChain::leaf(&[2]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_of_many_hosts_are_stored_and_answered() {
    for_each_db(async |db| {
        let names: Vec<String> = (0..60).map(|n| format!("h{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        add_hosts(&db, &names).await;
        accept(&db, &acceptance("c1", &names, 20, 5)).await;
        let (writer, task) = writer::spawn(db.clone());
        let mut tasks = tokio::task::JoinSet::new();
        for name in &names {
            let (writer, name) = (writer.clone(), host(name));
            tasks.spawn(async move {
                let kind = OutcomeKind::Committed;
                let seen =
                    writer.observation(name.clone(), network(20, 1), "h".into(), Wall(8)).await.unwrap();
                assert_eq!(seen, RecordedObservation::Changed);
                let kept = writer
                    .outcome(name.clone(), outcome("c1", 1, kind.clone()), receipt(), Wall(9))
                    .await
                    .unwrap();
                assert_eq!(kept, RecordedOutcome::Kept);
                writer.outcome(name, outcome("c1", 1, kind), receipt(), Wall(10)).await.unwrap()
            });
        }
        assert!(tasks.join_all().await.iter().all(|r| *r == RecordedOutcome::Repeat));
        writer.last_seen(BTreeMap::from([(host("h00"), Wall(77))])).await.unwrap();
        assert_eq!(outcomes::outcomes_of(&db, &change_id("c1")).await.unwrap().len(), 60);
        let first = hosts::get(&db, &host("h00")).await.unwrap().unwrap();
        assert_eq!((first.generation_committed, first.last_seen), (Generation(1), Some(Wall(77))));
        drop(writer);
        task.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_report_harms_no_other_in_its_group() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "c"]).await;
        let (writer, task) = writer::spawn(db.clone());
        let send = |name: &str| writer.observation(host(name), network(20, 1), "h".into(), Wall(8));
        let stranger = DriftReport {
            host: host("stranger"),
            generation: Generation(1),
            first_seen: Wall(1),
            last_seen: Wall(1),
            differences: vec![],
        };
        let (a, b, c, d) = tokio::join!(send("a"), send("b"), send("c"), writer.drift(stranger, Wall(8)));
        assert_eq!((a.unwrap(), c.unwrap()), (RecordedObservation::Changed, RecordedObservation::Changed));
        assert_not_found(b);
        assert_not_found(d);
        assert_eq!(count(&db, "SELECT COUNT(*) FROM observations").await, 2);
        drop(writer);
        task.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_queued_is_written_when_the_last_sender_leaves() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let (writer, task) = writer::spawn(db.clone());
        let sender = writer.clone();
        let sending =
            tokio::spawn(
                async move { sender.observation(host("a"), network(1, 1), "h".into(), Wall(1)).await },
            );
        sending.await.unwrap().unwrap();
        drop(writer);
        task.await.unwrap();
        assert_eq!(count(&db, "SELECT COUNT(*) FROM observations").await, 1);
    })
    .await;
}

#[tokio::test]
async fn after_the_task_has_ended_senders_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let db = crate::store::Db::open(&super::lite_url(&folder)).await.unwrap();
    let (writer, task) = writer::spawn(db);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    let answer = writer.last_seen(BTreeMap::new()).await;
    assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}");
}
