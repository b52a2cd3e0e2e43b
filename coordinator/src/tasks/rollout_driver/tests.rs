//! Rollouts over restarts, commands, and other coordinators.

use super::{RolloutCommandError, RolloutHandle};
use crate::fleet::Verdict;
use crate::store::changes::ChangeRecord;
use crate::store::leases;
use crate::store::rollouts::{self, RolloutUpdate, SaveState};
use crate::tasks::confirm::{Confirmations, Question};
use crate::tasks::testkit::{World, documents, eventually, id, rfc, web};
use crate::tasks::wall_now;
use crate::tasks::witness::{LateFleet, Witnesses};
use model::{Generation, Order, OutcomeKind, PlanDigest, RolloutId, RolloutPhase, Wall};

const HOSTS: [&str; 3] = ["h01", "h02", "h03"];

/// A world in which this change has just begun: the canary has its order.
async fn begun() -> (World, ChangeRecord, Order) {
    let mut world = World::new(&HOSTS).await;
    let mut files = documents(&HOSTS, &web(120));
    files.push(rfc(7, ""));
    let change = world.push(&files).await;
    let canary = world.order().await;
    (world, change, canary)
}

async fn rollout_of(world: &World, change: &ChangeRecord) -> RolloutId {
    rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap().id
}

#[tokio::test]
async fn a_restart_mid_rollout_goes_on_and_orders_nothing_that_has_ended() {
    let (mut world, change, canary) = begun().await;
    world.end(&canary, OutcomeKind::Committed).await;
    let (second, third) = (world.order().await, world.order().await);
    world.phase(&change, RolloutPhase::Running).await;
    world.stop().await;
    // While nobody drove it: one host ended, which only the store knows.
    world.record(&second, OutcomeKind::Committed).await;
    world.restart().await;
    let again = world.order().await;
    assert_eq!(again, third, "the order without an outcome is sent again, the same one");
    world.end(&again, OutcomeKind::Committed).await;
    world.phase(&change, RolloutPhase::Completed).await;
    assert!(world.unread_orders().is_empty());
    world.restart().await;
    assert!(world.unread_orders().is_empty());
}

#[tokio::test]
async fn a_host_that_was_away_gets_its_order_when_it_returns() {
    let (mut world, change, canary) = begun().await;
    world.disconnect("h02").await;
    world.end(&canary, OutcomeKind::Committed).await;
    let order = world.order().await;
    assert_eq!(order.host, id("h03"));
    world.end(&order, OutcomeKind::Committed).await;
    world.connect("h02").await;
    let order = world.order().await;
    assert_eq!(order.host, id("h02"));
    world.end(&order, OutcomeKind::Committed).await;
    world.phase(&change, RolloutPhase::Completed).await;
}

#[tokio::test]
async fn pause_resume_and_abort_do_what_they_say() {
    let (mut world, change, canary) = begun().await;
    let rollout = rollout_of(&world, &change).await;
    let driver: RolloutHandle = world.tasks.driver.clone();
    assert_eq!(driver.pause(&rollout, "ann", "lunch").await.unwrap(), RolloutPhase::Paused);
    assert!(matches!(
        driver.pause(&rollout, "ann", "").await,
        Err(RolloutCommandError::NotPossible { phase: "paused", .. })
    ));
    let record = world.phase(&change, RolloutPhase::Paused).await;
    assert_eq!(record.reason.as_deref(), Some("paused by ann: lunch"));
    world.end(&canary, OutcomeKind::Committed).await;
    assert_eq!(driver.resume(&rollout, "ann", "").await.unwrap(), RolloutPhase::Running);
    assert_eq!(world.order().await.host, id("h02"));
    assert_eq!(world.order().await.host, id("h03"));
    assert_eq!(driver.abort(&rollout, "ann", "wrong VLAN").await.unwrap(), RolloutPhase::Aborted);
    assert!(matches!(
        driver.resume(&rollout, "ann", "").await,
        Err(RolloutCommandError::NotPossible { phase: "aborted", .. })
    ));
    let nobody = RolloutId::new("nobody").unwrap();
    assert!(matches!(driver.pause(&nobody, "ann", "").await, Err(RolloutCommandError::NotFound(_))));
}

#[tokio::test]
async fn of_two_coordinators_only_one_moves_a_rollout() {
    let (mut world, change, canary) = begun().await;
    let record = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
    // Another coordinator moves it; this one still holds the older version.
    let update = RolloutUpdate {
        phase: record.phase,
        state: record.state.clone(),
        reason: record.reason.clone(),
        now: wall_now(),
    };
    let mut tx = world.db.begin().await.unwrap();
    let saved = rollouts::save_state(&mut tx, &record.id, record.version, &update).await.unwrap();
    assert!(matches!(saved, SaveState::Saved { .. }));
    tx.commit().await.unwrap();
    let lost = world.tasks.driver.pause(&record.id, "ann", "").await;
    assert!(matches!(lost, Err(RolloutCommandError::Lost(_))), "{lost:?}");
    assert!(world.unread_orders().is_empty(), "what was not stored is not done");
    // It reads the rollout again and goes on from there; the canary's order is repeated, hosts know it by its generation.
    assert_eq!(world.order().await, canary);
    world.end(&canary, OutcomeKind::Committed).await;
    assert_eq!(world.order().await.host, id("h02"));
}

#[tokio::test]
async fn a_coordinator_that_lost_the_lease_orders_nothing_more() {
    let (mut world, change, canary) = begun().await;
    let before = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
    // Another coordinator leads since now; this one has not learned of it yet.
    let seen = leases::get(&world.db, "lead").await.unwrap();
    let mut tx = world.db.begin().await.unwrap();
    let taken = leases::take(&mut tx, "lead", "another", seen.as_ref(), Wall(u64::MAX >> 1)).await.unwrap();
    assert_eq!(taken, Some(2));
    tx.commit().await.unwrap();
    world.end(&canary, OutcomeKind::Committed).await;
    let refused = world.tasks.driver.pause(&before.id, "ann", "").await;
    let is_refused = matches!(refused, Err(RolloutCommandError::Lost(_) | RolloutCommandError::StandsBy(_)));
    assert!(is_refused, "{refused:?}");
    let told = eventually("it learns who leads", async || {
        let refused = world.tasks.driver.pause(&before.id, "ann", "").await;
        refused.err().map(|error| error.to_string()).filter(|told| told.contains("another leads"))
    });
    assert!(told.await.contains("stands by"));
    let after = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
    assert_eq!(after.version, before.version, "the rollout is the other one's");
    assert!(world.unread_orders().is_empty());
}

#[tokio::test]
async fn a_rollout_whose_state_cannot_be_read_is_aborted_all_the_same() {
    for damage in ["{\"phase\": \"of another release\"}", "{"] {
        let (mut world, change, canary) = begun().await;
        let record = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap();
        let state = serde_json::from_str(damage).unwrap_or(serde_json::Value::String(damage.to_owned()));
        let update = RolloutUpdate { phase: record.phase, state, reason: None, now: wall_now() };
        let mut tx = world.db.begin().await.unwrap();
        let saved = rollouts::save_state(&mut tx, &record.id, record.version, &update).await.unwrap();
        assert!(matches!(saved, SaveState::Saved { .. }));
        tx.commit().await.unwrap();
        world.restart().await;
        let driver: RolloutHandle = world.tasks.driver.clone();
        let refused = driver.pause(&record.id, "ann", "").await.unwrap_err().to_string();
        assert!(refused.contains("can still be aborted"), "{refused}");
        assert_eq!(driver.abort(&record.id, "ann", "stuck").await.unwrap(), RolloutPhase::Aborted);
        let ended = world.phase(&change, RolloutPhase::Aborted).await;
        assert!(ended.reason.unwrap().starts_with("aborted by ann: stuck"));
        let confirm = Confirmations::new(world.db.clone(), world.tasks.sent.clone(), no_peers(&world.db));
        let verdict = confirm.verdict(attempt(&canary, wall_now())).await.unwrap();
        assert!(matches!(verdict, Verdict::Withdrawn { .. }), "{verdict:?}");
        // The way is free for the next commit.
        let mut files = documents(&HOSTS, &web(121));
        files.push(rfc(8, ""));
        let next = world.push(&files).await;
        assert_eq!(world.order().await.change, next.id);
    }
}

fn attempt(order: &Order, opened_at: Wall) -> Question {
    Question {
        host: order.host.clone(),
        change: order.change.clone(),
        generation: order.generation,
        plan_digest: order.plan_digest.clone(),
        opened_at,
    }
}

/// Witnesses that are not needed: no adapter is touched.
fn no_peers(db: &crate::store::Db) -> Witnesses {
    Witnesses::new(db.clone(), std::sync::Arc::new(LateFleet::default()))
}

#[tokio::test]
async fn a_confirmation_needs_the_right_order_a_new_connection_and_a_rollout_that_stands() {
    let (world, change, canary) = begun().await;
    let confirm = Confirmations::new(world.db.clone(), world.tasks.sent.clone(), no_peers(&world.db));
    let later = wall_now().plus(model::Millis(1));
    assert_eq!(confirm.verdict(attempt(&canary, later)).await.unwrap(), Verdict::Confirmed);
    assert!(confirm.verdict(attempt(&canary, Wall(1))).await.is_err(), "an old connection proves nothing");
    let withdrawn =
        async |attempt| matches!(confirm.verdict(attempt).await.unwrap(), Verdict::Withdrawn { .. });
    assert!(withdrawn(Question { generation: Generation(9), ..attempt(&canary, later) }).await);
    assert!(withdrawn(Question { plan_digest: PlanDigest("ab".into()), ..attempt(&canary, later) }).await);
    assert!(withdrawn(Question { host: id("stranger"), ..attempt(&canary, later) }).await);
    let rollout = rollout_of(&world, &change).await;
    world.tasks.driver.abort(&rollout, "ann", "stop").await.unwrap();
    assert!(withdrawn(attempt(&canary, later)).await);
}
