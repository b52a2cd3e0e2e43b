//! A coordinator that stands by takes no streams and answers no questions; one that stops leading ends its streams.

use super::rig::{Rig, TestAgent, change, host};
use crate::fleet::{FleetEvent, FleetSettings};
use model::{Generation, PlanDigest};
use proto::convert::ConfirmQuestion;
use tonic::Code;

#[tokio::test]
async fn hosts_are_sent_away_while_another_coordinator_leads() {
    let mut rig = Rig::start(FleetSettings::default()).await;
    let mut agent = rig.agent("esx01", "i-1").await;
    rig.leads.send_replace(false);
    let status = agent.end().await.expect("the stream ends with a reason");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("stands by"), "{status}");
    assert!(
        matches!(rig.event().await, FleetEvent::Disconnected { reason, .. } if reason.contains("stands by"))
    );
    assert!(!rig.fleet.connected(&host("esx01")));
    let refused = TestAgent::open(rig.dial("esx01").await, "i-1").await.err().unwrap();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    let question =
        ConfirmQuestion { change: change(), generation: Generation(1), plan_digest: PlanDigest("ab".into()) };
    let refused = rig.dial("esx01").await.confirm(proto::v1::ConfirmRequest::from(question.clone())).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    assert!(rig.confirm.asked.lock().unwrap().is_empty(), "nobody was asked");
    // It leads again: everything is as before.
    rig.leads.send_replace(true);
    let _agent = rig.agent("esx01", "i-1").await;
    rig.dial("esx01").await.confirm(proto::v1::ConfirmRequest::from(question)).await.unwrap();
}
