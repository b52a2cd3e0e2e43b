//! What operators decide. The decisions about hosts are tested over the wire, in `fleet`.

use super::operator::{DecideError, Decider, Verb, act, approve, deny};
use super::*;
use crate::tasks::testkit::id;
use crate::trust::{AuthorityFiles, HostChain};
use tempfile::TempDir;

const BY: Decider<'static> = Decider { actor: "user:ann", reason: "why" };

async fn identities() -> (TempDir, Db, StoredIdentities) {
    let dir = TempDir::new().unwrap();
    let db = Db::open(&format!("sqlite://{}", dir.path().join("p.db").display())).await.unwrap();
    let files = AuthorityFiles::new(&dir.path().join("ca"), None);
    files.create("pointsman.test", None, wall_now()).unwrap();
    let stored = StoredIdentities::new(db.clone(), files.token_key().unwrap());
    (dir, db, stored)
}

fn key(byte: u8) -> KeyFingerprint {
    KeyFingerprint::from_digest(&[byte; 32])
}

fn peer(name: &str, byte: u8) -> PeerId {
    PeerId {
        host: id(name),
        serial: "1".into(),
        key: key(byte),
        expires: wall_now().plus(Millis(60_000)),
        certificate: HostChain::leaf(&[1]),
    }
}

fn remote() -> SocketAddr {
    "192.0.2.1:9".parse().unwrap()
}

#[tokio::test]
async fn verbs_fit_what_a_host_is_and_are_audited_with_who_and_why() {
    let (_dir, db, stored) = identities().await;
    let host = id("h01");
    assert!(matches!(act(&db, &host, Verb::Revoke, BY).await, Err(DecideError::NoHost { .. })));
    assert!(matches!(approve(&db, &host, None, BY).await, Err(DecideError::NoRequest { .. })));
    assert!(matches!(deny(&db, &host, BY).await, Err(DecideError::NoRequest { .. })));
    assert!(matches!(stored.admit(peer("h01", 1), remote()).await, Err(Denial::Unknown { .. })));
    approve(&db, &host, Some(&key(1)), BY).await.unwrap();
    assert_eq!(stored.admit(peer("h01", 1), remote()).await, Ok(()));
    assert_eq!(stored.admit(peer("h01", 2), remote()).await, Err(Denial::OtherKey));
    let refused = act(&db, &host, Verb::Release, BY).await.unwrap_err();
    assert!(refused.to_string().contains("is enrolled"), "{refused}");
    act(&db, &host, Verb::Quarantine, BY).await.unwrap();
    let denial = stored.admit(peer("h01", 1), remote()).await.unwrap_err();
    assert_eq!(denial, Denial::Quarantined { reason: "why".into() });
    act(&db, &host, Verb::Release, BY).await.unwrap();
    assert_eq!(stored.admit(peer("h01", 1), remote()).await, Ok(()));
    act(&db, &host, Verb::Revoke, BY).await.unwrap();
    assert_eq!(stored.admit(peer("h01", 1), remote()).await, Err(Denial::Revoked));
    assert!(matches!(act(&db, &host, Verb::Quarantine, BY).await, Err(DecideError::NotPossible { .. })));
    let entries = audit::list(&db, 50).await.unwrap();
    let by_ann: Vec<&str> = entries
        .iter()
        .rev()
        .filter(|entry| entry.actor == "user:ann")
        .map(|entry| entry.action.as_str())
        .collect();
    assert_eq!(by_ann, ["host.approved", "host.quarantined", "host.released", "host.revoked"]);
    assert!(entries[0].detail.contains("why") || entries[1].detail.contains("why"));
}
