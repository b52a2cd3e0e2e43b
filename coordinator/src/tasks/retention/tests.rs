//! What a pass takes out, and what it never does.

use super::{OBSERVATIONS_KEPT, OBSERVATIONS_PER_HOST_MAX, Removed, pass};
use crate::store::{Db, hosts, observations};
use crate::tasks::testkit::{id, observed};
use model::Wall;
use tempfile::TempDir;

/// The newest time of the tests.
const NOW: Wall = Wall(OBSERVATIONS_KEPT.0 * 2);

async fn database() -> (TempDir, Db) {
    let dir = TempDir::new().unwrap();
    let db = Db::open(&format!("sqlite://{}", dir.path().join("p.db").display())).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for name in ["h01", "h02"] {
        hosts::enrol(&mut tx, &id(name), None, Wall(1)).await.unwrap();
    }
    tx.commit().await.unwrap();
    (dir, db)
}

async fn history(db: &Db, host: &str) -> Vec<String> {
    let rows = observations::history(db, &id(host), 2_000).await.unwrap();
    rows.into_iter().map(|row| row.hash).collect()
}

#[tokio::test]
async fn old_history_goes_and_the_newest_look_of_a_host_stays() {
    let (_dir, db) = database().await;
    let old = Wall(NOW.0 - OBSERVATIONS_KEPT.0 - 10);
    let mut tx = db.begin().await.unwrap();
    let rows = [("h01", "a", old), ("h01", "b", Wall(old.0 + 1)), ("h01", "c", NOW), ("h02", "a", old)];
    for (host, hash, at) in rows {
        observations::record(&mut tx, &id(host), &observed(), hash, at).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(pass(&db, NOW).await.unwrap(), Removed { observations: 2, documents: 2 });
    assert_eq!(history(&db, "h01").await, ["c"]);
    assert_eq!(history(&db, "h02").await, ["a"], "its only one, however old");
    for host in ["h01", "h02"] {
        assert!(observations::latest(&db, &id(host)).await.unwrap().is_some(), "{host}");
    }
    assert_eq!(pass(&db, NOW).await.unwrap(), Removed::default(), "nothing is left to do");
}

#[tokio::test]
async fn a_host_that_changes_all_the_time_does_not_fill_the_disk() {
    let (_dir, db) = database().await;
    let surplus = 700;
    let mut tx = db.begin().await.unwrap();
    for number in 0..u64::from(OBSERVATIONS_PER_HOST_MAX) + surplus {
        let hash = format!("content-{}", number % 3);
        observations::record(&mut tx, &id("h01"), &observed(), &hash, Wall(NOW.0 + number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let removed = pass(&db, NOW).await.unwrap();
    assert_eq!(removed, Removed { observations: surplus, documents: 0 }, "contents still in use stay");
    let left = history(&db, "h01").await;
    assert_eq!(left.len(), usize::try_from(OBSERVATIONS_PER_HOST_MAX).unwrap());
    assert_eq!(left[0], format!("content-{}", (u64::from(OBSERVATIONS_PER_HOST_MAX) + surplus - 1) % 3));
}
