//! What agents say becomes rows.

use super::*;
use crate::store::{changes, drift, hosts, observations, outcomes, writer};
use crate::tasks::testkit::{World, documents, eventually, id, observed};
use model::{
    ApplyPhase, BootId, Component, Difference, DifferenceKind, Generation, OutcomeKind, RolloutPhase,
};

fn intake(world: &World) -> Intake {
    let (writer, _) = writer::spawn(world.db.clone());
    let parts = IntakeParts {
        db: world.db.clone(),
        writer,
        rollouts: world.tasks.driver.clone(),
        repo: world.tasks.repo.clone(),
        progress: ProgressBoard::default(),
    };
    Intake { parts, sessions: BTreeMap::new() }
}

fn connected(host: &str, session: u64) -> FleetEvent {
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
        approver_set_version: 0,
        approval_mode: model::ApprovalMode::Off,
    };
    FleetEvent::Connected {
        host: id(host),
        session: SessionId(session),
        hello: Box::new(hello),
        remote: "192.0.2.1:9".parse().unwrap(),
    }
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
    intake.outcome(&order.host, outcome.clone()).await.unwrap();
    intake.outcome(&order.host, outcome.clone()).await.unwrap();
    world.phase(&change, RolloutPhase::Completed).await;
    assert_eq!(outcomes::outcomes_of(&world.db, &change.id).await.unwrap().len(), 1);
    let ends = actions(&world).await.iter().filter(|action| *action == "host.committed").count();
    assert_eq!(ends, 1);
    // An order that was never given is passed over, so that the agent stops sending its end.
    let unknown = ApplyOutcome { generation: Generation(99), ..outcome };
    intake.outcome(&order.host, unknown).await.unwrap();
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
