//! Two coordinators on one database: one leads, the other takes over, and the one before it cannot write any more.

use super::candidate::Candidate;
use super::{LEASE_LIFE, Lead, LeaseTask, RENEW_EVERY};
use crate::store::{Db, leases};
use model::Wall;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;

async fn database() -> (TempDir, Db) {
    let dir = TempDir::new().unwrap();
    let db = Db::open(&format!("sqlite://{}", dir.path().join("p.db").display())).await.unwrap();
    (dir, db)
}

/// Rounds at times of the test.
struct Rounds {
    db: Db,
    start: Instant,
    mark: u64,
}

impl Rounds {
    async fn of(&mut self, candidate: &mut Candidate, secs: u64) -> Lead {
        self.mark += 1;
        let now = self.start + Duration::from_secs(secs);
        candidate.round(&self.db, now, Wall(self.mark)).await.unwrap()
    }
}

fn stands_by(lead: &Lead, behind: &str) -> bool {
    *lead == Lead::StandsBy { holder: Some(behind.to_owned()) }
}

#[tokio::test]
async fn a_lease_is_handed_over_when_its_holder_stops_renewing() {
    let (_dir, db) = database().await;
    let mut rounds = Rounds { db, start: Instant::now(), mark: 0 };
    let (mut one, mut two) = (Candidate::new("one"), Candidate::new("two"));
    assert_eq!(rounds.of(&mut one, 0).await, Lead::Holds { epoch: 1 });
    assert!(stands_by(&rounds.of(&mut two, 0).await, "one"));
    // While it is renewed nobody takes it, however long that goes.
    for secs in (2..40).step_by(2) {
        assert_eq!(rounds.of(&mut one, secs).await, Lead::Holds { epoch: 1 });
        assert!(stands_by(&rounds.of(&mut two, secs).await, "one"), "{secs}");
    }
    // The holder is gone: the row stood still since 38.
    let life = LEASE_LIFE.as_secs();
    assert!(stands_by(&rounds.of(&mut two, 38 + life - 1).await, "one"), "not before its life is over");
    assert_eq!(rounds.of(&mut two, 38 + life).await, Lead::Holds { epoch: 2 });
    // It was only slow: it learns that it does not lead any more, and waits its turn.
    assert!(stands_by(&rounds.of(&mut one, 39 + life).await, "two"));
    assert_eq!(rounds.of(&mut two, 40 + life).await, Lead::Holds { epoch: 2 });
    assert!(stands_by(&rounds.of(&mut one, 41 + life).await, "two"));
}

#[tokio::test]
async fn a_restart_takes_its_own_lease_back_at_once_and_a_copy_does_not_fight_for_it() {
    let (_dir, db) = database().await;
    let mut rounds = Rounds { db, start: Instant::now(), mark: 0 };
    let mut first_run = Candidate::new("one");
    assert_eq!(rounds.of(&mut first_run, 0).await, Lead::Holds { epoch: 1 });
    let mut second_run = Candidate::new("one");
    assert_eq!(rounds.of(&mut second_run, 1).await, Lead::Holds { epoch: 2 }, "another term");
    // Somebody copied the state folder: the same name, two processes. One of them gives way for good.
    for secs in (2..30).step_by(2) {
        assert!(stands_by(&rounds.of(&mut first_run, secs).await, "one"), "{secs}");
        assert_eq!(rounds.of(&mut second_run, secs).await, Lead::Holds { epoch: 2 });
    }
}

#[tokio::test]
async fn a_holder_without_database_stands_by_in_time_and_leads_again_if_nobody_took_over() {
    let (_dir, db) = database().await;
    let start = Instant::now();
    let mut rounds = Rounds { db, start, mark: 0 };
    let mut one = Candidate::new("one");
    assert_eq!(rounds.of(&mut one, 0).await, Lead::Holds { epoch: 1 });
    let just_before = start + LEASE_LIFE - Duration::from_millis(1);
    assert_eq!(one.without_database(just_before), Lead::Holds { epoch: 1 });
    assert_eq!(one.without_database(start + LEASE_LIFE), Lead::StandsBy { holder: None });
    assert_eq!(rounds.of(&mut one, 20).await, Lead::Holds { epoch: 2 }, "the last term was its own");
}

#[tokio::test]
async fn a_lease_given_back_is_free_and_a_write_of_the_one_before_is_refused() {
    let (_dir, db) = database().await;
    let (task, handle) = LeaseTask::begin(db.clone(), "one").await;
    assert_eq!(handle.lead(), Lead::Holds { epoch: 1 });
    let (stop, stopped) = watch::channel(false);
    let running = task.spawn(stopped);
    let fence = async || {
        let mut tx = db.begin().await.unwrap();
        let held = handle.fence(&mut tx).await.unwrap();
        tx.cancel().await;
        held
    };
    assert!(fence().await);
    let (_two, second) = LeaseTask::begin(db.clone(), "two").await;
    assert!(stands_by(&second.lead(), "one"));
    assert!(second.check().unwrap_err().to_string().contains("one leads"));
    // Another coordinator took it over: what this one would write is refused, though it has not learned of it yet.
    let seen = leases::get(&db, "lead").await.unwrap();
    let mut tx = db.begin().await.unwrap();
    assert_eq!(leases::take(&mut tx, "lead", "two", seen.as_ref(), Wall(1)).await.unwrap(), Some(2));
    tx.commit().await.unwrap();
    assert!(handle.lead().holds() && !fence().await);
    let mut lead = handle.watch();
    let learned = tokio::time::timeout(RENEW_EVERY * 5, lead.wait_for(|lead| !lead.holds())).await;
    assert!(stands_by(&learned.unwrap().unwrap(), "two"));
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(
        leases::get(&db, "lead").await.unwrap().map(|lease| lease.mark),
        Some(1),
        "not its to give back"
    );
}
