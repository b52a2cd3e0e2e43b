//! What agents say becomes rows.

use super::*;
use crate::release::testkit::{self, Person};
use crate::store::approvers::{self, NewApproverSet};
use crate::store::{changes, drift, hosts, observations, outcomes, writer};
use crate::tasks::testkit::{World, documents, eventually, id, observed};
use model::{
    ApplyPhase, ApprovalMode, ApproverSet, BootId, Component, Difference, DifferenceKind, Generation,
    OutcomeKind, RolloutPhase,
};
use std::sync::Mutex;

/// Offers that were made.
#[derive(Default)]
struct Offered(Mutex<Vec<(HostId, u64)>>);

impl OfferApprovers for Offered {
    fn offer(&self, host: &HostId, rotation: ApproverRotation) {
        let set: ApproverSet = serde_json::from_str(&rotation.set).unwrap();
        self.0.lock().unwrap().push((host.clone(), set.version));
    }
}

fn intake(world: &World) -> Intake {
    intake_with(world, Arc::new(Offered::default()))
}

fn intake_with(world: &World, fleet: Arc<Offered>) -> Intake {
    let (writer, _) = writer::spawn(world.db.clone());
    let parts = IntakeParts {
        db: world.db.clone(),
        writer,
        fleet,
        rollouts: world.tasks.driver.clone(),
        repo: world.tasks.repo.clone(),
        progress: ProgressBoard::default(),
    };
    Intake::new(parts)
}

fn connected(host: &str, session: u64) -> FleetEvent {
    connected_with_set(host, session, 0)
}

fn connected_with_set(host: &str, session: u64, approver_set_version: u64) -> FleetEvent {
    let hello = AgentHello {
        protocol_min: 1,
        protocol_max: 1,
        agent_version: "0.1.0".to_owned(),
        boot_id: BootId("b".to_owned()),
        instance_id: "i".to_owned(),
        held_generation: Generation(7),
        committed_generation: Generation(7),
        open_change: None,
        phase: ApplyPhase::Idle,
        system_uuid: String::new(),
        approver_set_version,
        approval_mode: ApprovalMode::Enforce,
    };
    FleetEvent::Connected {
        host: id(host),
        session: SessionId(session),
        hello: Box::new(hello),
        remote: "192.0.2.1:9".parse().unwrap(),
    }
}

/// Signed by nobody: what arrives here was checked before.
fn receipt(outcome: &ApplyOutcome) -> Receipt {
    let outcome_json = serde_json::to_vec(outcome).unwrap();
    Receipt { outcome_json, signature: vec![1], certificate: crate::trust::HostChain::leaf(&[2]) }
}

async fn actions(world: &World) -> Vec<String> {
    audit::list(&world.db, 50).await.unwrap().into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn a_host_that_connects_is_stored_with_the_generation_it_holds() {
    let world = World::new(&["h01"]).await;
    let mut intake = intake(&world);
    intake.take(connected("h01", 1)).await.unwrap();
    let host = hosts::get(&world.db, &id("h01")).await.unwrap().unwrap();
    assert_eq!((host.status, host.generation_allocated), (hosts::HostStatus::Enrolled, Generation(7)));
    assert_eq!(host.agent_version.as_deref(), Some("0.1.0"));
    intake.observation(&id("h01"), observed(), "hash".to_owned()).await.unwrap();
    assert!(observations::latest(&world.db, &id("h01")).await.unwrap().is_some());
    // Nobody becomes a host by speaking: the gate of the fleet lets only enrolled ones in.
    assert!(intake.take(connected("h02", 1)).await.is_err());
    assert_eq!(hosts::get(&world.db, &id("h02")).await.unwrap(), None);
}

#[tokio::test]
async fn an_outcome_is_stored_audited_and_moves_the_rollout_once() {
    let mut world = World::new(&["h01"]).await;
    let change = world.push(&documents(&["h01"], "port_groups: {}\n")).await;
    let order = world.order().await;
    let intake = intake(&world);
    let outcome = ApplyOutcome {
        change: order.change.clone(),
        generation: order.generation,
        kind: OutcomeKind::Committed,
        steps_run: 0,
        esxcli_calls: 3,
        approval: None,
    };
    intake.outcome(&order.host, outcome.clone(), receipt(&outcome)).await.unwrap();
    intake.outcome(&order.host, outcome.clone(), receipt(&outcome)).await.unwrap();
    world.phase(&change, RolloutPhase::Completed).await;
    assert_eq!(outcomes::outcomes_of(&world.db, &change.id).await.unwrap().len(), 1);
    let ends = actions(&world).await.iter().filter(|action| *action == "host.committed").count();
    assert_eq!(ends, 1);
    let entries = audit::list(&world.db, 50).await.unwrap();
    let end = entries.iter().find(|entry| entry.action == "host.committed").unwrap();
    let detail: serde_json::Value = serde_json::from_str(&end.detail).unwrap();
    let evidence: Evidence = serde_json::from_value(detail["evidence"].clone()).unwrap();
    assert_eq!(Receipt::try_from(&evidence).unwrap(), receipt(&outcome));
    // An order that was never given is passed over, so that the agent stops sending its end.
    let unknown = ApplyOutcome { generation: Generation(99), ..outcome };
    let unknown_receipt = receipt(&unknown);
    intake.outcome(&order.host, unknown, unknown_receipt).await.unwrap();
    assert!(actions(&world).await.contains(&"refused.unknown_order".to_owned()));
    assert!(changes::by_commit(&world.db, &change.commit).await.unwrap().is_some());
}

#[tokio::test]
async fn the_late_end_of_an_older_stream_is_not_the_end_of_the_newer_one() {
    let mut world = World::new(&["h01"]).await;
    let mut intake = intake(&world);
    intake.take(connected("h01", 2)).await.unwrap();
    let late =
        FleetEvent::Disconnected { host: id("h01"), session: SessionId(1), reason: "replaced".to_owned() };
    intake.take(late).await.unwrap();
    let change = world.push(&documents(&["h01"], "port_groups: {}\n")).await;
    assert_eq!(world.commit_all(&change).await, ["h01"]);
}

#[tokio::test]
async fn drift_is_stored_and_audited_when_it_changes_only() {
    let world = World::new(&["h01"]).await;
    let mut intake = intake(&world);
    let difference = Difference {
        component: Component::PortGroup,
        object: "web".to_owned(),
        field: "vlan".to_owned(),
        kind: DifferenceKind::Changed,
        desired: "120".to_owned(),
        observed: "121".to_owned(),
    };
    let report = DriftReport {
        host: id("h01"),
        generation: Generation(1),
        first_seen: Wall(5),
        last_seen: Wall(6),
        differences: vec![difference],
    };
    for _ in 0..2 {
        let report = Box::new(report.clone());
        intake.take(FleetEvent::Drift { host: id("h01"), report }).await.unwrap();
    }
    assert_eq!(drift::open_of(&world.db, &id("h01")).await.unwrap().len(), 1);
    assert_eq!(actions(&world).await.iter().filter(|action| *action == "host.drift").count(), 1);
}

#[tokio::test]
async fn events_of_all_lanes_are_dealt_with_before_the_end() {
    let names: Vec<String> = (0..40).map(|number| format!("h{number:02}")).collect();
    let world = World::new(&[]).await;
    for name in &names {
        world.enrol(name).await;
    }
    let (events, queue) = mpsc::channel(64);
    let running = tokio::spawn(run(intake(&world).parts, queue));
    for name in &names {
        events.send(connected(name, 1)).await.unwrap();
    }
    drop(events);
    running.await.unwrap();
    eventually("all hosts are noted", async || {
        let page = hosts::list(&world.db, &hosts::HostFilter::default(), None, 100).await.unwrap();
        let noted = page.items.iter().filter(|host| host.agent_version.is_some()).count();
        (noted == 40).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_host_is_led_through_the_sets_it_missed_one_by_one() {
    let world = World::new(&["h01"]).await;
    let person = Person::new("Ben", 1);
    testkit::store(&world.db, &testkit::set("default", 3, 1, &[&person])).await;
    for version in [4, 5] {
        let set = testkit::set("default", version, 1, &[&person]);
        let document = serde_json::to_string(&set).unwrap();
        let rotation = ApproverRotation { set: document.clone(), signatures: vec![] };
        let new = NewApproverSet {
            set: &set,
            document: &document,
            rotation: Some(&rotation),
            imported_by: "test",
            now: Wall(2),
        };
        let mut tx = world.db.begin().await.unwrap();
        approvers::add(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
    }
    let offered = Arc::new(Offered::default());
    let mut intake = intake_with(&world, Arc::clone(&offered));
    let made = || std::mem::take(&mut *offered.0.lock().unwrap());
    let answer = |version: u64, refused: Option<&str>| FleetEvent::ApproverSet {
        host: id("h01"),
        answer: SetAck { version, refused: refused.map(str::to_owned) },
    };
    intake.take(connected_with_set("h01", 1, 0)).await.unwrap();
    assert_eq!(made(), [], "a person pins the first set");
    intake.take(connected_with_set("h01", 2, 3)).await.unwrap();
    assert_eq!(made(), [(id("h01"), 4)]);
    intake.take(answer(4, None)).await.unwrap();
    assert_eq!(made(), [(id("h01"), 5)]);
    intake.take(answer(5, None)).await.unwrap();
    assert_eq!(made(), []);
    intake.take(connected_with_set("h01", 3, 3)).await.unwrap();
    intake.take(answer(3, Some("not signed by enough of the old set"))).await.unwrap();
    assert_eq!(made(), [(id("h01"), 4)], "what was refused is not pressed on the host");
    let actions = actions(&world).await;
    assert_eq!(actions.iter().filter(|action| *action == "host.approvers_pinned").count(), 2);
    assert_eq!(actions.iter().filter(|action| *action == "host.approvers_refused").count(), 1);
}
