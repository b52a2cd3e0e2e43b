//! Extending a window: who is told, who is refused, and what the audit trail says.

use super::{ExtendError, Extension, WindowExtender, Windows};
use crate::fleet::SendOrderError;
use crate::store::{audit, rollouts};
use crate::tasks::lease::LeaseTask;
use crate::tasks::testkit::{World, documents, id, rfc, web};
use model::{ApplyPhase, ChangeId, HostId, Millis, OutcomeKind, RolloutId};
use std::sync::{Arc, Mutex};

/// Two hosts at work, one idle, all others away.
#[derive(Default)]
struct Told(Mutex<Vec<(HostId, ChangeId, Millis)>>);

impl Windows for Told {
    fn phase(&self, host: &HostId) -> Option<ApplyPhase> {
        match host.as_str() {
            "h01" | "h02" => Some(ApplyPhase::AwaitingConfirm),
            "h03" => Some(ApplyPhase::Idle),
            _ => None,
        }
    }

    fn extend(&self, host: &HostId, change: &ChangeId, window: Millis) -> Result<(), SendOrderError> {
        if self.phase(host).is_none() {
            return Err(SendOrderError::NotConnected);
        }
        self.0.lock().unwrap().push((host.clone(), change.clone(), window));
        Ok(())
    }
}

#[tokio::test]
async fn only_an_open_window_of_the_rollout_is_extended_and_that_is_audited() {
    let hosts = ["h01", "h02", "h03", "h04"];
    let mut world = World::new(&hosts).await;
    let mut files = documents(&hosts, &web(120));
    files.push(rfc(7, ""));
    let change = world.push(&files).await;
    let canary = world.order().await;
    let rollout = rollouts::of_change(&world.db, &change.id).await.unwrap().unwrap().id;
    // The world's own lease is given back first, so that this one leads.
    world.stop().await;
    let (_task, lease) = LeaseTask::begin(world.db.clone(), "test").await;
    let told = Arc::new(Told::default());
    let extender = WindowExtender::new(world.db.clone(), lease, told.clone());
    let extend = async |host: &str, secs| {
        let (rollout, host) = (rollout.clone(), id(host));
        let (actor, reason) = ("operator".to_owned(), "the switch is slow".to_owned());
        extender.extend(&Extension { rollout, host, secs, actor, reason }).await
    };
    extend("h01", 300).await.unwrap();
    assert_eq!(*told.0.lock().unwrap(), [(id("h01"), change.id.clone(), Millis::from_secs(300))]);
    for secs in [29, 601] {
        assert!(matches!(extend("h01", secs).await, Err(ExtendError::OutOfBounds(found)) if found == secs));
    }
    assert!(matches!(extend("stranger", 60).await, Err(ExtendError::NotItsHost { .. })));
    assert!(matches!(extend("h03", 60).await, Err(ExtendError::NotAtWork(_))));
    assert!(matches!(extend("h04", 60).await, Err(ExtendError::NotSent { .. })));
    world.record(&canary, OutcomeKind::Committed).await;
    let ended = extend("h01", 60).await;
    assert!(matches!(ended, Err(ExtendError::Ended { kind: "committed", .. })), "{ended:?}");
    let nobody = Extension {
        rollout: RolloutId::new("nobody").unwrap(),
        host: id("h01"),
        secs: 60,
        actor: "operator".to_owned(),
        reason: String::new(),
    };
    assert!(matches!(extender.extend(&nobody).await, Err(ExtendError::NoRollout(_))));
    assert_eq!(told.0.lock().unwrap().len(), 1, "nobody else was told");
    let trail = audit::list(&world.db, 100).await.unwrap();
    let noted: Vec<_> = trail.iter().filter(|entry| entry.action == "host.window_extended").collect();
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].actor.as_str(), noted[0].subject.as_str()), ("operator", "host/h01"));
    assert!(noted[0].detail.contains("\"window_secs\":300"), "{}", noted[0].detail);
}
