//! Drift, audit, tokens, inbox, leases and meta.

use super::fixtures::{add_hosts, group, host};
use super::{assert_not_found, for_each_db, in_tx, run_sql};
use crate::store::audit::{self, AuditEntry, ChainReport};
use crate::store::drift::{self, DriftChange};
use crate::store::inbox::{self, Delivery, InsertDelivery};
use crate::store::leases::{self, LeaseRecord};
use crate::store::tokens::{self, NewToken, TakeToken, TokenRefusal};
use crate::store::{Db, meta};
use model::{Component, Difference, DifferenceKind, DriftReport, Generation, Wall};
use serde_json::json;

fn difference(object: &str, observed: &str) -> Difference {
    Difference {
        component: Component::PortGroup,
        object: object.into(),
        field: "vlan".into(),
        kind: DifferenceKind::Changed,
        desired: "20".into(),
        observed: observed.into(),
    }
}

fn report(seen: u64, differences: Vec<Difference>) -> DriftReport {
    DriftReport {
        host: host("a"),
        generation: Generation(3),
        first_seen: Wall(seen),
        last_seen: Wall(seen),
        differences,
    }
}

#[tokio::test]
async fn drift_keeps_its_first_time_and_is_resolved_when_gone() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let put = async |report: DriftReport, now| {
            in_tx!(db, tx => drift::replace_report(&mut tx, &report, Wall(now))).unwrap()
        };
        let (one, two) = (difference("VM Network", "30"), difference("Backup", "1"));
        assert_eq!(
            put(report(10, vec![one.clone(), two.clone()]), 11).await,
            DriftChange { opened: 2, kept: 0, resolved: 0 }
        );
        let later = difference("VM Network", "31");
        assert_eq!(
            put(report(20, vec![later.clone()]), 21).await,
            DriftChange { opened: 0, kept: 1, resolved: 1 }
        );
        let open = drift::list_open(&db, 10).await.unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!(
            (&open[0].difference, open[0].first_seen, open[0].last_seen),
            (&later, Wall(10), Wall(20))
        );
        assert_eq!(put(report(30, vec![]), 31).await, DriftChange { opened: 0, kept: 0, resolved: 1 });
        assert_eq!(drift::open_of(&db, &host("a")).await.unwrap(), []);
        put(report(40, vec![one]), 41).await;
        let all = drift::list_all(&db, 10).await.unwrap();
        let times: Vec<_> = all.iter().map(|d| (d.first_seen.0, d.resolved.map(|w| w.0))).collect();
        assert_eq!(times, [(40, None), (10, Some(21)), (10, Some(31))]);
        let stranger = DriftReport { host: host("x"), ..report(1, vec![]) };
        assert_not_found(in_tx!(db, tx => drift::replace_report(&mut tx, &stranger, Wall(1))));
    })
    .await;
}

async fn write_audit(db: &Db, n: u64) -> u64 {
    let entry = AuditEntry {
        at: Wall(n),
        actor: "user:ann".into(),
        action: "rollout.paused".into(),
        subject: format!("rollout/{n}"),
        detail: json!({ "n": n }),
    };
    in_tx!(db, tx => audit::append(&mut tx, &entry)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_chain_is_gapless_also_with_many_writers() {
    for_each_db(async |db| {
        assert!(matches!(audit::verify_chain(&db).await.unwrap(), ChainReport::Intact { entries: 0, .. }));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..20 {
            let db = db.clone();
            tasks.spawn(async move { write_audit(&db, n).await });
        }
        let mut numbers = tasks.join_all().await;
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=20).collect::<Vec<u64>>());
        let newest = audit::list(&db, 1).await.unwrap().remove(0);
        assert_eq!(
            audit::verify_chain(&db).await.unwrap(),
            ChainReport::Intact { entries: 20, head: newest.hash }
        );
        assert_eq!(audit::after(&db, 18, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn tampering_with_the_audit_trail_shows() {
    let tampers: [(&'static str, i64); 5] = [
        ("UPDATE audit SET actor = 'user:eve' WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence = 5", 5),
        ("UPDATE audit SET previous_hash = hash WHERE sequence = 2", 2),
        ("DELETE FROM audit", 1),
    ];
    for (tamper, at) in tampers {
        for_each_db(async |db| {
            for n in 0..5 {
                write_audit(&db, n).await;
            }
            run_sql(&db, tamper).await;
            let found = audit::verify_chain(&db).await.unwrap();
            assert!(
                matches!(found, ChainReport::Broken { sequence, .. } if sequence == at),
                "{tamper}: {found:?}"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn an_entry_rewritten_with_a_fitting_hash_breaks_the_next_link() {
    for_each_db(async |db| {
        for n in 0..3 {
            write_audit(&db, n).await;
        }
        let mut forged = audit::after(&db, 1, 1).await.unwrap().remove(0);
        forged.actor = "user:eve".into();
        let hash = forged.expected_hash();
        let mut tx = db.begin().await.unwrap();
        tx!(tx, c => sqlx::query("UPDATE audit SET actor = 'user:eve', hash = $1 WHERE sequence = 2")
            .bind(hash).execute(c).await.map(|_| ()))
        .unwrap();
        tx.commit().await.unwrap();
        let found = audit::verify_chain(&db).await.unwrap();
        assert!(matches!(found, ChainReport::Broken { sequence: 3, .. }), "{found:?}");
    })
    .await;
}

fn token(hash: &str) -> NewToken {
    NewToken {
        hash: hash.into(),
        host: None,
        group: Some(group("lab")),
        expires: Wall(100),
        created_by: "user:ann".into(),
        created: Wall(1),
        system_uuid: None,
        needs_approval: true,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_taken_once_however_many_try() {
    for_each_db(async |db| {
        in_tx!(db, tx => tokens::create(&mut tx, &token("t1"))).unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let db = db.clone();
            tasks.spawn(async move {
                let name = host(&format!("h{n}"));
                in_tx!(db, tx => tokens::take(&mut tx, "t1", &name, None, Wall(50))).unwrap()
            });
        }
        let results = tasks.join_all().await;
        let taken = results.iter().filter(|r| matches!(r, TakeToken::Taken { .. })).count();
        let used = results.iter().filter(|r| **r == TakeToken::Refused(TokenRefusal::Used)).count();
        assert_eq!((taken, used), (1, 7), "{results:?}");
        assert!(tokens::list(&db).await.unwrap()[0].used.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_token_is_refused_for_a_reason() {
    for_each_db(async |db| {
        let take = async |hash: &str, name: &str, uuid: Option<&str>, now| {
            in_tx!(db, tx => tokens::take(&mut tx, hash, &host(name), uuid, Wall(now))).unwrap()
        };
        let add = async |new: NewToken| in_tx!(db, tx => tokens::create(&mut tx, &new));
        for hash in ["t1", "t2", "t3", "t4"] {
            let system_uuid = (hash == "t3").then(|| "u1".to_owned());
            add(NewToken { host: Some(host("a")), system_uuid, ..token(hash) }).await.unwrap();
        }
        assert!(add(token("t1")).await.is_err(), "twice the same");
        let refused = TakeToken::Refused;
        assert_eq!(take("other", "a", None, 50).await, refused(TokenRefusal::Unknown));
        assert_eq!(take("t1", "b", None, 50).await, refused(TokenRefusal::OtherHost));
        assert_eq!(
            take("t1", "a", None, 50).await,
            refused(TokenRefusal::Used),
            "right or wrong, it is dead"
        );
        assert_eq!(take("t2", "a", None, 100).await, refused(TokenRefusal::Expired));
        assert_eq!(take("t3", "a", None, 50).await, refused(TokenRefusal::OtherMachine));
        let TakeToken::Taken(taken) = take("t4", "a", Some("u9"), 99).await else { panic!() };
        assert_eq!((taken.group, taken.needs_approval), (Some(group("lab")), true));
        assert_eq!(take("t4", "a", None, 99).await, refused(TokenRefusal::Used));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_dealt_with_once() {
    for_each_db(async |db| {
        let delivery = |id: &str, at| Delivery {
            id: id.into(),
            source: "poller".into(),
            body: "{}".into(),
            received: Wall(at),
        };
        for (id, at, expected) in [
            ("commit:2", 20, InsertDelivery::Fresh),
            ("commit:1", 10, InsertDelivery::Fresh),
            ("commit:2", 30, InsertDelivery::Repeat),
        ] {
            assert_eq!(in_tx!(db, tx => inbox::insert(&mut tx, &delivery(id, at))).unwrap(), expected);
        }
        assert_eq!(
            inbox::pending(&db, 10).await.unwrap(),
            [delivery("commit:1", 10), delivery("commit:2", 20)]
        );
        in_tx!(db, tx => inbox::mark_processed(&mut tx, "commit:1", Wall(40))).unwrap();
        assert_eq!(inbox::pending(&db, 10).await.unwrap(), [delivery("commit:2", 20)]);
        let again = in_tx!(db, tx => inbox::insert(&mut tx, &delivery("commit:1", 50))).unwrap();
        assert_eq!(again, InsertDelivery::Repeat, "also after it was dealt with");
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_taken_as_it_was_seen_and_its_epoch_grows() {
    for_each_db(async |db| {
        let take = async |holder: &'static str, seen: Option<LeaseRecord>, mark: u64| {
            in_tx!(db, tx => leases::take(&mut tx, "lead", holder, seen.as_ref(), Wall(mark))).unwrap()
        };
        let seen = async || leases::get(&db, "lead").await.unwrap();
        let renew = async |epoch: u64, mark: u64| {
            in_tx!(db, tx => leases::renew(&mut tx, "lead", epoch, Wall(mark))).unwrap()
        };
        let fence = async |epoch: u64| in_tx!(db, tx => leases::fence(&mut tx, "lead", epoch)).unwrap();
        assert_eq!(seen().await, None);
        assert!(!renew(1, 5).await && !fence(1).await, "nobody took it");
        assert_eq!(take("one", None, 10).await, Some(1));
        assert_eq!(take("two", None, 10).await, None, "somebody was faster");
        let before = seen().await;
        assert_eq!(before, Some(LeaseRecord { holder: "one".into(), epoch: 1, mark: 10 }));
        assert!(renew(1, 12).await);
        assert_eq!(take("two", before, 20).await, None, "its holder lives");
        assert_eq!(take("two", seen().await, 20).await, Some(2));
        assert!(!renew(1, 30).await && !fence(1).await, "the one before it is out");
        assert!(renew(2, 30).await && fence(2).await);
        in_tx!(db, tx => leases::release(&mut tx, "lead", 1)).unwrap();
        assert_eq!(seen().await.map(|lease| lease.mark), Some(30), "only the holder can give it back");
        in_tx!(db, tx => leases::release(&mut tx, "lead", 2)).unwrap();
        assert_eq!(seen().await, Some(LeaseRecord { holder: "two".into(), epoch: 2, mark: 0 }));
    })
    .await;
}

#[tokio::test]
async fn a_small_fact_keeps_its_last_value() {
    for_each_db(async |db| {
        in_tx!(db, tx => meta::set(&mut tx, "k", "1", Wall(1))).unwrap();
        in_tx!(db, tx => meta::set(&mut tx, "k", "2", Wall(2))).unwrap();
        assert_eq!(meta::get(&db, "k").await.unwrap().as_deref(), Some("2"));
        assert_eq!(meta::get(&db, "none").await.unwrap(), None);
    })
    .await;
}
