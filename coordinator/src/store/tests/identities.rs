//! Identities of hosts, and requests to be let in.

use super::fixtures::{add_hosts, group, host};
use super::{assert_not_found, for_each_db, in_tx};
use crate::store::hosts::HostStatus;
use crate::store::identities::{self, Binding, EnrolmentRequest, RequestSource, RequestStatus};
use crate::store::tokens::{self, NewToken, TakeToken, TokenRefusal};
use crate::store::{Db, hosts};
use model::{HostId, KeyFingerprint, Wall};

fn key(byte: u8) -> KeyFingerprint {
    KeyFingerprint::from_digest(&[byte; 32])
}

async fn bind(db: &Db, name: &HostId, with: u8, uuid: Option<&str>, now: u64) {
    let (key, group) = (key(with), group("lab"));
    let binding = Binding { host: name, key: &key, system_uuid: uuid, group: Some(&group) };
    in_tx!(db, tx => identities::bind(&mut tx, &binding, Wall(now))).unwrap();
}

#[tokio::test]
async fn a_host_is_bound_to_one_key_and_begins_anew_with_another() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let a = host("a");
        bind(&db, &a, 1, Some("u1"), 10).await;
        let bound = identities::get(&db, &a).await.unwrap().unwrap();
        assert_eq!(
            (bound.status, bound.key, bound.join_count),
            (HostStatus::Enrolled, Some(key(1)), Some(0))
        );
        assert_eq!(bound.system_uuid.as_deref(), Some("u1"));
        let stored = hosts::get(&db, &a).await.unwrap().unwrap();
        assert_eq!(stored.group, Some(group("prod")), "the documents win");
        assert!(in_tx!(db, tx => identities::take_join(&mut tx, &a, 0, "r1")).unwrap());
        in_tx!(db, tx => identities::set_status(&mut tx, &a, HostStatus::Revoked, Some("lost\0"), Wall(20)))
            .unwrap();
        bind(&db, &a, 2, None, 30).await;
        let again = identities::get(&db, &a).await.unwrap().unwrap();
        assert_eq!((again.key, again.join_count, again.join_id), (Some(key(2)), Some(0), None));
        assert_eq!((again.status, again.reason, again.system_uuid), (HostStatus::Enrolled, None, None));
        let changed = identities::changed_since(&db, Wall(30)).await.unwrap();
        assert_eq!(changed, [(a, HostStatus::Enrolled, Some(key(2)))]);
        assert!(identities::changed_since(&db, Wall(31)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn tokens_die_when_their_host_falls_out_of_grace() {
    for_each_db(async |db| {
        let (a, b) = (host("a"), host("b"));
        bind(&db, &a, 1, Some("u1"), 10).await;
        bind(&db, &b, 2, Some("u2"), 10).await;
        let made = async |hash: &str, of: Option<&HostId>, uuid: Option<&str>| {
            let token = NewToken {
                hash: hash.to_owned(),
                host: of.cloned(),
                system_uuid: uuid.map(str::to_owned),
                group: None,
                expires: Wall(1_000),
                created_by: "test".to_owned(),
                created: Wall(1),
                needs_approval: false,
            };
            in_tx!(db, tx => tokens::create(&mut tx, &token)).unwrap();
        };
        made("name", Some(&a), None).await;
        made("machine", None, Some("u1")).await;
        made("other", Some(&b), None).await;
        in_tx!(db, tx => identities::set_status(&mut tx, &a, HostStatus::Quarantined, Some("odd"), Wall(20)))
            .unwrap();
        made("later", Some(&a), None).await;
        let take = async |hash: &str, of: &HostId, uuid: &str| {
            in_tx!(db, tx => tokens::take(&mut tx, hash, of, Some(uuid), Wall(30))).unwrap()
        };
        for hash in ["name", "machine"] {
            let taken = take(hash, &a, "u1").await;
            assert!(matches!(taken, TakeToken::Refused(TokenRefusal::Used)), "{hash}: {taken:?}");
        }
        assert!(matches!(take("other", &b, "u2").await, TakeToken::Taken(_)));
        assert!(matches!(take("later", &a, "u1").await, TakeToken::Taken(_)), "an operator knew");
    })
    .await;
}

#[tokio::test]
async fn a_machine_is_one_host() {
    for_each_db(async |db| {
        let (a, b) = (host("a"), host("b"));
        bind(&db, &a, 1, None, 1).await;
        bind(&db, &b, 2, None, 1).await;
        assert!(in_tx!(db, tx => identities::note_machine(&mut tx, &a, "u1")).unwrap());
        assert!(!in_tx!(db, tx => identities::note_machine(&mut tx, &b, "u1")).unwrap(), "it is a's");
        assert!(!in_tx!(db, tx => identities::note_machine(&mut tx, &a, "u2")).unwrap(), "it has one");
        assert_eq!(identities::other_on_machine(&db, &b, "u1").await.unwrap(), Some(a.clone()));
        assert_eq!(identities::other_on_machine(&db, &a, "u1").await.unwrap(), None);
        in_tx!(db, tx => identities::forget_machine(&mut tx, &a)).unwrap();
        assert!(in_tx!(db, tx => identities::note_machine(&mut tx, &b, "u1")).unwrap());
        assert_not_found(in_tx!(db, tx => identities::forget_machine(&mut tx, &host("nobody"))));
        assert_not_found(in_tx!(db, tx => identities::note_certificate(&mut tx, &host("nobody"), Wall(1))));
        in_tx!(db, tx => identities::note_certificate(&mut tx, &a, Wall(77))).unwrap();
        assert_eq!(identities::get(&db, &a).await.unwrap().unwrap().certificate_expires, Some(Wall(77)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_host_and_its_copies_one_recovers() {
    for_each_db(async |db| {
        let a = host("a");
        bind(&db, &a, 1, None, 1).await;
        let mut tasks = tokio::task::JoinSet::new();
        for copy in 0..6 {
            let (db, a) = (db.clone(), a.clone());
            tasks.spawn(async move {
                in_tx!(db, tx => identities::take_join(&mut tx, &a, 0, &format!("r{copy}"))).unwrap()
            });
        }
        let taken = tasks.join_all().await.into_iter().filter(|taken| *taken).count();
        assert_eq!(taken, 1);
        assert_eq!(identities::get(&db, &a).await.unwrap().unwrap().join_count, Some(1));
        // After a release any count is taken, once.
        in_tx!(db, tx => identities::forget_machine(&mut tx, &a)).unwrap();
        assert!(in_tx!(db, tx => identities::take_join(&mut tx, &a, 9, "r")).unwrap());
        assert!(!in_tx!(db, tx => identities::take_join(&mut tx, &a, 9, "r")).unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_request_waits_is_decided_once_and_is_replaced() {
    for_each_db(async |db| {
        let request = |with: u8, created: u64| EnrolmentRequest {
            host: host("a"),
            key: key(with),
            source: RequestSource::Token,
            token_hash: Some("t".into()),
            system_uuid: Some("u1".into()),
            group: Some(group("lab")),
            remote: "192.0.2.1:7".into(),
            status: RequestStatus::Pending,
            created: Wall(created),
            expires: Wall(created + 100),
        };
        let a = host("a");
        in_tx!(db, tx => identities::ask(&mut tx, &request(1, 5))).unwrap();
        assert_eq!(identities::request(&db, &a).await.unwrap(), Some(request(1, 5)));
        assert_eq!(identities::open_requests(&db, Wall(6), 10).await.unwrap(), [request(1, 5)]);
        assert!(identities::open_requests(&db, Wall(105), 10).await.unwrap().is_empty(), "void");
        let decide = async |with: u8, status| {
            in_tx!(db, tx => identities::decide(&mut tx, &a, &key(with), status)).unwrap()
        };
        assert!(!decide(2, RequestStatus::Approved).await, "another key");
        assert!(decide(1, RequestStatus::Approved).await);
        assert!(!decide(1, RequestStatus::Denied).await, "decided");
        assert!(identities::open_requests(&db, Wall(6), 10).await.unwrap().is_empty());
        in_tx!(db, tx => identities::ask(&mut tx, &request(2, 7))).unwrap();
        assert_eq!(identities::request(&db, &a).await.unwrap(), Some(request(2, 7)));
        assert_eq!(in_tx!(db, tx => identities::drop_old_requests(&mut tx, Wall(106))).unwrap(), 0);
        assert_eq!(in_tx!(db, tx => identities::drop_old_requests(&mut tx, Wall(107))).unwrap(), 1);
        assert_eq!(identities::request(&db, &a).await.unwrap(), None);
    })
    .await;
}
