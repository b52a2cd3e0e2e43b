//! From an accepted change to the end on every host.

use super::fixtures::{
    accept, acceptance, add_hosts, change_id, desired, host, new_change, new_rfc, outcome, plan, rollout_id,
};
use super::{assert_not_found, count, for_each_db, in_tx};
use crate::store::changes::{self, ChangeStatus};
use crate::store::outcomes::{self, RecordedOutcome};
use crate::store::rfcs::{self, RfcState};
use crate::store::rollouts::{self, RolloutUpdate, SaveState};
use crate::store::{StoreError, audit, hosts, plans, undone};
use model::{
    Component, Disruption, Finding, Generation, Millis, OutcomeKind, PlanDigest, RefusalReason, RfcId,
    RolloutPhase, Wall,
};
use serde_json::json;

#[tokio::test]
async fn accepting_keeps_everything_in_one_transaction() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b"]).await;
        accept(&db, &acceptance("c1", &["a", "b"], 20, 5)).await;
        let id = change_id("c1");
        let stored = changes::get(&db, &id).await.unwrap().unwrap();
        assert_eq!((stored.status, stored.rfc), (ChangeStatus::Accepted, Some(RfcId(7))));
        assert_eq!(changes::by_commit(&db, "commit-c1").await.unwrap().unwrap(), stored);
        assert_eq!(changes::latest_accepted(&db).await.unwrap().unwrap().id, id);
        assert_eq!(changes::last_seen_commit(&db).await.unwrap().as_deref(), Some("commit-c1"));
        let page = plans::plans_of_change(&db, &id, None, 10).await.unwrap();
        assert_eq!(page.items.len(), 2);
        assert_eq!(page.items[0].plan, plan("a", 20).plan);
        assert_eq!(page.items[0].esxcli_lines, plan("a", 20).esxcli_lines);
        assert_eq!(plans::get(&db, &id, &host("b")).await.unwrap().unwrap(), page.items[1]);
        assert_eq!(plans::generations(&db, &id).await.unwrap()[&host("a")], Generation(1));
        let order = plans::order(&db, &id, &host("a")).await.unwrap().unwrap();
        assert_eq!((order.generation, order.commit.as_str()), (Generation(1), "commit-c1"));
        assert_eq!(order.plan_digest, PlanDigest(format!("{:064x}", 20)));
        assert_eq!((order.desired, order.disruption_allowed), (desired(20), Disruption::TrafficLoss));
        assert_eq!(
            (order.confirm_timeout, order.probes.probes),
            (Millis(60_000), vec!["mgmt-gateway".to_owned()])
        );
        assert_eq!(plans::order(&db, &id, &host("x")).await.unwrap(), None);
        let waves = rollouts::waves_of(&db, &rollout_id("rollout-c1")).await.unwrap();
        assert_eq!(waves.iter().map(|w| w.hosts.len()).collect::<Vec<_>>(), [1, 1]);
        let trail = audit::list(&db, 10).await.unwrap();
        assert_eq!((trail[0].action.as_str(), trail[0].subject.as_str()), ("change.accepted", "change/c1"));
    })
    .await;
}

#[tokio::test]
async fn accepting_with_an_unknown_host_keeps_nothing() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let wrong = acceptance("c1", &["a", "nobody"], 20, 5);
        assert_not_found(in_tx!(db, tx => changes::accept_change(&mut tx, &wrong, "t")));
        assert_eq!(changes::list(&db, 10).await.unwrap(), []);
        assert_eq!(rfcs::get(&db, RfcId(7)).await.unwrap(), None);
        assert_eq!(count(&db, "SELECT COUNT(*) FROM audit").await, 0);
        let host = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!(host.generation_allocated, Generation(0));
    })
    .await;
}

#[tokio::test]
async fn a_commit_is_accepted_once_but_a_refused_one_may_come_again() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let mut bad = new_change("bad", 3);
        bad.findings = vec![Finding::error("DOC-003", Component::Group, "unknown key `vlam`")];
        in_tx!(db, tx => changes::refuse_change(&mut tx, &bad, Some(&new_rfc(7)), "t")).unwrap();
        in_tx!(db, tx => changes::refuse_change(&mut tx, &bad, None, "t")).unwrap();
        let stored = changes::get(&db, &bad.id).await.unwrap().unwrap();
        assert_eq!((stored.status, &stored.findings), (ChangeStatus::Refused, &bad.findings));
        assert_eq!(changes::latest_accepted(&db).await.unwrap(), None);
        assert_eq!(changes::last_seen_commit(&db).await.unwrap().as_deref(), Some("commit-bad"));
        let mut again = acceptance("again", &["a"], 20, 4);
        again.change.commit = bad.commit.clone();
        accept(&db, &again).await;
        let mut twice = acceptance("twice", &["a"], 20, 5);
        twice.change.commit = bad.commit.clone();
        let refused = in_tx!(db, tx => changes::accept_change(&mut tx, &twice, "t"));
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        let refused = in_tx!(db, tx => changes::refuse_change(&mut tx, &bad, None, "t"));
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        assert_eq!(changes::list(&db, 10).await.unwrap().len(), 1);
        in_tx!(db, tx => changes::supersede(&mut tx, &change_id("again"))).unwrap();
        assert_eq!(
            changes::get(&db, &change_id("again")).await.unwrap().unwrap().status,
            ChangeStatus::Superseded
        );
        let unnumbered = in_tx!(db, tx => rfcs::upsert(&mut tx, &new_rfc(0), Wall(1)));
        assert!(matches!(unnumbered, Err(StoreError::Conflict { .. })), "{unnumbered:?}");
        in_tx!(db, tx => rfcs::set_state(&mut tx, RfcId(7), RfcState::Implemented, Wall(9))).unwrap();
        assert_eq!(rfcs::list(&db, None, 5).await.unwrap()[0].state, RfcState::Implemented);
        assert_eq!(rfcs::list(&db, Some(RfcId(7)), 5).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_coordinators_that_accept_one_commit_one_wins() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let mut tasks = tokio::task::JoinSet::new();
        for name in ["one", "two", "three", "four"] {
            let db = db.clone();
            tasks.spawn(async move {
                let mut same = acceptance(name, &["a"], 20, 5);
                same.change.commit = "same".into();
                in_tx!(db, tx => changes::accept_change(&mut tx, &same, "t"))
            });
        }
        let results = tasks.join_all().await;
        let lost = results.iter().filter(|r| matches!(r, Err(StoreError::Conflict { .. }))).count();
        assert_eq!((lost, results.len()), (3, 4), "{results:?}");
        let host = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!(host.generation_allocated, Generation(1), "losers give out nothing");
    })
    .await;
}

#[tokio::test]
async fn plans_without_a_rollout_or_twice_for_a_host_are_refused() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let mut without = acceptance("c1", &["a"], 20, 5);
        without.rollout = None;
        let twice = acceptance("c1", &["a", "a"], 20, 5);
        for wrong in [without, twice] {
            let refused = in_tx!(db, tx => changes::accept_change(&mut tx, &wrong, "t"));
            assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        }
        let mut empty = acceptance("c2", &[], 20, 5);
        empty.rollout = None;
        assert!(accept(&db, &empty).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_with_one_version_one_wins() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..8_u64 {
            let db = db.clone();
            tasks.spawn(async move {
                let update = RolloutUpdate {
                    phase: RolloutPhase::Running,
                    state: json!({ "writer": writer }),
                    reason: None,
                    now: Wall(10 + writer),
                };
                in_tx!(db, tx => rollouts::save_state(&mut tx, &rollout_id("rollout-c1"), 1, &update))
                    .unwrap()
            });
        }
        let results = tasks.join_all().await;
        let won = results.iter().filter(|r| **r == SaveState::Saved { version: 2 }).count();
        assert_eq!((won, results.len()), (1, 8), "{results:?}");
        assert_eq!(rollouts::get(&db, &rollout_id("rollout-c1")).await.unwrap().unwrap().version, 2);
    })
    .await;
}

#[tokio::test]
async fn a_rollout_moves_and_ends() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        let id = rollout_id("rollout-c1");
        let update = |phase, now| RolloutUpdate {
            phase,
            state: json!({ "p": now }),
            reason: Some("why".into()),
            now: Wall(now),
        };
        let save = async |version, phase, now| {
            in_tx!(db, tx => rollouts::save_state(&mut tx, &id, version, &update(phase, now))).unwrap()
        };
        assert_eq!(save(1, RolloutPhase::Halted, 6).await, SaveState::Saved { version: 2 });
        assert_eq!(rollouts::active(&db).await.unwrap().len(), 1);
        in_tx!(db, tx => rollouts::wave_started(&mut tx, &id, 0, Wall(6))).unwrap();
        in_tx!(db, tx => rollouts::wave_started(&mut tx, &id, 0, Wall(7))).unwrap();
        in_tx!(db, tx => rollouts::wave_ended(&mut tx, &id, 0, Wall(8))).unwrap();
        assert_eq!(save(1, RolloutPhase::Completed, 8).await, SaveState::Lost);
        assert_eq!(save(2, RolloutPhase::Completed, 8).await, SaveState::Saved { version: 3 });
        assert_eq!(rollouts::active(&db).await.unwrap(), []);
        let stored = rollouts::of_change(&db, &change_id("c1")).await.unwrap().unwrap();
        assert_eq!((stored.phase, stored.ended), (RolloutPhase::Completed, Some(Wall(8))));
        assert_eq!((stored.state, stored.reason.as_deref()), (json!({ "p": 8 }), Some("why")));
        let wave = rollouts::waves_of(&db, &id).await.unwrap().remove(0);
        assert_eq!((wave.started, wave.ended), (Some(Wall(6)), Some(Wall(8))));
        assert_eq!(rollouts::list(&db, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_first_end_counts_and_a_refusal_makes_room() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        let record = async |generation, kind, now| {
            in_tx!(db, tx => outcomes::record(&mut tx, &host("a"), &outcome("c1", generation, kind), Wall(now)))
        };
        let refused = OutcomeKind::Refused(RefusalReason::Unreadable { detail: "hostd".into() });
        assert_eq!(record(1, refused.clone(), 6).await.unwrap(), RecordedOutcome::Kept);
        assert_eq!(record(1, refused.clone(), 7).await.unwrap(), RecordedOutcome::Repeat);
        assert_eq!(record(1, OutcomeKind::Committed, 8).await.unwrap(), RecordedOutcome::Kept);
        assert_eq!(record(1, OutcomeKind::Committed, 9).await.unwrap(), RecordedOutcome::Repeat);
        assert_eq!(record(1, refused, 9).await.unwrap(), RecordedOutcome::Repeat, "too late to refuse");
        assert_not_found(record(2, OutcomeKind::Committed, 9).await);
        let stored = outcomes::outcomes_of(&db, &change_id("c1")).await.unwrap();
        assert_eq!(stored.len(), 1);
        assert_eq!((&stored[0].outcome, stored[0].received), (&outcome("c1", 1, OutcomeKind::Committed), Wall(8)));
        let host = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((host.generation_committed, host.committed_at), (Generation(1), Some(Wall(8))));
    })
    .await;
}

#[tokio::test]
async fn a_committed_change_that_is_undone_gives_the_one_before_back() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        let put = async |change: &str, generation, kind, now| {
            in_tx!(db, tx => outcomes::record(&mut tx, &host("a"), &outcome(change, generation, kind), Wall(now))).unwrap()
        };
        let back = || OutcomeKind::RolledBack { reason: "at the console: too loud".into() };
        accept(&db, &acceptance("c1", &["a"], 20, 5)).await;
        put("c1", 1, OutcomeKind::Committed, 6).await;
        accept(&db, &acceptance("c2", &["a"], 21, 7)).await;
        put("c2", 2, OutcomeKind::Committed, 8).await;
        assert_eq!(put("c2", 2, back(), 9).await, RecordedOutcome::Undone);
        assert_eq!(put("c2", 2, back(), 10).await, RecordedOutcome::Repeat, "told again");
        assert_eq!(put("c2", 2, OutcomeKind::Committed, 10).await, RecordedOutcome::Repeat, "came late");
        let now = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((now.generation_committed, now.committed_change), (Generation(1), Some(change_id("c1"))));
        assert_eq!((now.committed_at, now.generation_allocated), (Some(Wall(6)), Generation(2)));
        let committed = hosts::committed(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((committed.change, committed.desired), (change_id("c1"), desired(20)));
        let undone = undone::of_host(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((&undone.change, undone.generation, undone.at), (&change_id("c2"), Generation(2), Wall(9)));
        assert_eq!((undone.rfc, undone.reason.as_str()), (Some(RfcId(7)), "at the console: too loud"));
        assert_eq!(undone::list(&db, 10).await.unwrap(), [undone]);
        // The one before that is undone too: nothing is left.
        assert_eq!(put("c1", 1, back(), 11).await, RecordedOutcome::Undone);
        let now = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((now.generation_committed, now.committed_change), (Generation(0), None));
        assert_eq!(hosts::committed(&db, &host("a")).await.unwrap(), None);
        // Another change makes that history.
        accept(&db, &acceptance("c3", &["a"], 22, 12)).await;
        put("c3", 3, OutcomeKind::Committed, 13).await;
        assert_eq!(undone::of_host(&db, &host("a")).await.unwrap(), None);
        assert_eq!(put("c2", 2, back(), 14).await, RecordedOutcome::Repeat);
        let now = hosts::get(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!(now.generation_committed, Generation(3));
    })
    .await;
}
