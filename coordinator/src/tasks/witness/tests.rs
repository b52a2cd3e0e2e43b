//! Who is asked, what counts, and what is recorded. Hosts are played by [`Played`].

use super::*;
use crate::store::audit::AuditRecord;
use crate::tasks::testkit::{World, id, observed};
use engine::rollout::{Event, RolloutHost, Work};
use model::{Disruption, ObservedNetwork, Operation, PortGroupName, RolloutSpec, Step, Vlan, VlanId, Wall};
use std::net::Ipv4Addr;

/// Hosts that answer as told; one without an answer hangs.
#[derive(Default)]
struct Played {
    answers: Mutex<BTreeMap<HostId, ProbeVerdict>>,
    away: Mutex<BTreeSet<HostId>>,
    asked: Mutex<Vec<(String, PeerPing)>>,
}

impl Peers for Played {
    fn idle(&self) -> Option<BTreeSet<HostId>> {
        let away = self.away.lock().unwrap();
        Some((0..9).map(|n| id(&format!("h{n:02}"))).filter(|host| !away.contains(host)).collect())
    }

    fn ping(&self, host: HostId, ping: PeerPing, _: Duration) -> PingFuture<'_> {
        self.asked.lock().unwrap().push((host.to_string(), ping));
        let answer = self.answers.lock().unwrap().get(&host).cloned();
        Box::pin(async move {
            match answer {
                Some(verdict) => verdict,
                None => std::future::pending().await,
            }
        })
    }
}

impl Played {
    fn answer(&self, host: &str, verdict: ProbeVerdict) {
        self.answers.lock().unwrap().insert(id(host), verdict);
    }

    /// Who was asked since the last look, and with which payload.
    fn asked(&self) -> Vec<(String, Option<u16>)> {
        let mut asked: Vec<_> =
            self.asked.lock().unwrap().drain(..).map(|(host, ping)| (host, ping.size)).collect();
        asked.sort();
        asked
    }
}

fn fail() -> ProbeVerdict {
    ProbeVerdict::Fail { detail: "0 of 2 packets answered".to_owned() }
}

/// A host with vMotion on vmk1 at this address.
fn network(address: &str, mtu: u16, tag: &str) -> ObservedNetwork {
    let unread = || json!({"unreadable": {"reason": "not asked"}});
    let mut network = observed();
    let group = json!({"vswitch": "vSwitch0", "vlan": {"read": 20}, "teaming": unread(), "security": unread(),
        "shaping": unread()});
    let vmk = json!({"attachment": {"port_group": "vMotion"}, "netstack": "defaultTcpipStack", "enabled": true,
        "mac": unread(), "mtu": {"read": mtu}, "ipv4": {"read": {"static": {"address": address, "gateway": null}}},
        "ipv6": unread(), "services": {"read": [tag]}});
    let group_name = PortGroupName::new("vMotion").unwrap();
    network.port_groups.read_mut().unwrap().insert(group_name, serde_json::from_value(group).unwrap());
    let vmk_name = VmkName::new("vmk1").unwrap();
    network.vmkernels.read_mut().unwrap().insert(vmk_name, serde_json::from_value(vmk).unwrap());
    network
}

/// The change of h00: the VLAN of its vMotion port group.
fn plan() -> Plan {
    let operation = Operation::PortGroupVlanSet {
        port_group: PortGroupName::new("vMotion").unwrap(),
        vlan: Vlan::Tagged(VlanId::new(21).unwrap()),
    };
    Plan {
        steps: vec![Step { operation, inverse: Vec::new(), disruption: Disruption::TrafficLoss }],
        ..Plan::default()
    }
}

struct Rig {
    world: World,
    peers: Arc<Played>,
    witnesses: Witnesses,
    change: ChangeId,
    rollout: RolloutState,
}

impl Rig {
    /// Hosts h00, h01, ... with these networks; all are part of the rollout.
    async fn new(networks: &[ObservedNetwork]) -> Self {
        let world = World::new(&[]).await;
        let mut hosts = Vec::new();
        for (number, network) in networks.iter().enumerate() {
            let name = format!("h{number:02}");
            world.enrol(&name).await;
            let mut tx = world.db.begin().await.unwrap();
            observations::record(&mut tx, &id(&name), network, &name, wall_now()).await.unwrap();
            tx.commit().await.unwrap();
            hosts.push(RolloutHost { id: id(&name), failure_domain: None, work: Work::Steps });
        }
        let peers = Arc::new(Played::default());
        let witnesses = Witnesses::new(world.db.clone(), Arc::<Played>::clone(&peers));
        let change = ChangeId::new("change-1").unwrap();
        Self { world, peers, witnesses, change, rollout: RolloutState::new(RolloutSpec::default(), &hosts) }
    }

    async fn gate_of(&self, plan: &Plan) -> Result<(), Undecided> {
        let host = id("h00");
        let case = Case { host: &host, change: &self.change, plan, rollout: &self.rollout };
        self.witnesses.gate(case).await
    }

    async fn gate(&self) -> Result<(), Undecided> {
        self.gate_of(&plan()).await
    }

    async fn refused(&self) -> String {
        self.gate().await.unwrap_err().0
    }

    async fn audited(&self) -> Vec<AuditRecord> {
        let mut entries = audit::list(&self.world.db, 50).await.unwrap();
        entries.retain(|entry| entry.actor == "task:witness");
        entries.reverse();
        entries
    }
}

fn peers(count: u8, mtu: u16) -> Vec<ObservedNetwork> {
    (1..=count).map(|n| network(&format!("10.20.1.{n}/16"), mtu, "VMotion")).collect()
}

#[tokio::test]
async fn one_pass_is_enough_stands_and_is_recorded() {
    let rig = Rig::new(&peers(5, 9000)).await;
    rig.peers.answer("h01", fail());
    rig.peers.answer("h02", ProbeVerdict::Pass);
    rig.peers.answer("h03", ProbeVerdict::Unknown { detail: "busy".to_owned() });
    assert_eq!(rig.gate().await, Ok(()));
    let large = |host: &str| (host.to_owned(), Some(8972));
    assert_eq!(
        rig.peers.asked(),
        [large("h01"), large("h02"), large("h03")],
        "no more than three, at the wanted MTU"
    );
    assert_eq!(rig.gate().await, Ok(()), "the host lost the answer and asks again");
    assert_eq!(rig.peers.asked(), [], "nobody is asked twice");
    let audited = rig.audited().await;
    assert_eq!(audited.len(), 1);
    assert_eq!((audited[0].action.as_str(), audited[0].subject.as_str()), ("host.witnessed", "host/h00"));
    for part in ["change-1", "vmk1", "10.20.1.1", "9000", "h02", "\"pass\"", "0 of 2 packets answered"] {
        assert!(audited[0].detail.contains(part), "{part}: {}", audited[0].detail);
    }
    // Another change of the same host is another question.
    let rig = Rig { change: ChangeId::new("change-2").unwrap(), ..rig };
    assert_eq!(rig.gate().await, Ok(()));
    assert_eq!(rig.peers.asked().len(), 3);
}

#[tokio::test]
async fn without_a_pass_there_is_no_verdict_until_somebody_vouches() {
    let rig = Rig::new(&peers(3, 9000)).await;
    rig.peers.answer("h01", fail());
    rig.peers.answer("h02", fail());
    let refused = rig.refused().await;
    assert!(
        refused.starts_with("peer witnesses cannot reach vmk1 (10.20.1.1) at 9000 bytes: h01: fail"),
        "{refused}"
    );
    assert_eq!(rig.refused().await, refused);
    assert_eq!(rig.peers.asked().len(), 4, "asked again each time");
    rig.peers.answer("h02", ProbeVerdict::Unknown { detail: "killed".to_owned() });
    assert!(rig.refused().await.contains("could not vouch for vmk1"), "unknown is no pass");
    rig.peers.answer("h01", ProbeVerdict::Pass);
    assert_eq!(rig.gate().await, Ok(()));
    let actions: Vec<String> = rig.audited().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(
        actions,
        ["host.not_witnessed", "host.not_witnessed", "host.witnessed"],
        "the same words only once"
    );
}

#[tokio::test]
async fn a_witness_that_hangs_is_unknown_in_time() {
    let rig = Rig::new(&peers(2, 1500)).await;
    let started = tokio::time::Instant::now();
    let refused = rig.refused().await;
    assert!(refused.contains("h01: unknown: no answer within"), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(10), "shorter than one try of the confirmation");
    assert_eq!(rig.peers.asked(), [("h01".to_owned(), None)], "usual frames need no size");
}

#[tokio::test]
async fn witnesses_that_are_away_or_at_work_are_not_nobody() {
    let mut rig = Rig::new(&peers(3, 9000)).await;
    rig.peers.away.lock().unwrap().extend([id("h01"), id("h02")]);
    let refused = rig.refused().await;
    assert!(refused.contains("h01: unknown: not connected, or at work"), "{refused}");
    assert_eq!(rig.peers.asked(), []);
    // In flight in the same rollout: its own network is open too.
    rig.peers.away.lock().unwrap().clear();
    rig.peers.answer("h01", ProbeVerdict::Pass);
    rig.peers.answer("h02", fail());
    let spec = RolloutSpec { canary: 2, ..RolloutSpec::default() };
    let hosts: Vec<RolloutHost> = ["h00", "h01", "h02"]
        .iter()
        .map(|name| RolloutHost { id: id(name), failure_domain: None, work: Work::Steps })
        .collect();
    rig.rollout = RolloutState::new(spec, &hosts);
    for name in ["h00", "h01", "h02"] {
        let _ = rig.rollout.handle(Event::HostAvailable(id(name)), Wall(1));
    }
    let _ = rig.rollout.handle(Event::Start, Wall(2));
    assert_eq!(rig.rollout.outcome(&id("h01")), Some(HostOutcome::InFlight));
    assert!(rig.refused().await.contains("cannot reach"));
    assert_eq!(rig.peers.asked(), [("h02".to_owned(), Some(8972))]);
}

#[tokio::test]
async fn nobody_in_the_subnet_is_recorded_and_no_gate() {
    let networks = [
        network("10.20.1.1/16", 9000, "VMotion"),
        network("10.30.1.2/16", 9000, "VMotion"),
        network("10.20.1.3/16", 9000, "VSAN"),
    ];
    let rig = Rig::new(&networks).await;
    assert_eq!(rig.gate().await, Ok(()));
    assert_eq!(rig.gate().await, Ok(()));
    let audited = rig.audited().await;
    assert_eq!(audited.len(), 1);
    assert!(audited[0].detail.contains("no_witness"), "{}", audited[0].detail);
    assert_eq!(rig.peers.asked(), []);
}

#[tokio::test]
async fn what_serves_no_peers_or_is_not_touched_needs_no_witness() {
    let mut networks = peers(2, 9000);
    let rig = Rig::new(&networks).await;
    assert_eq!(rig.gate_of(&Plan::default()).await, Ok(()));
    networks[0] = network("10.20.1.1/16", 9000, "Management");
    let management = Rig::new(&networks).await;
    assert_eq!(management.gate().await, Ok(()));
    for rig in [rig, management] {
        assert_eq!(rig.peers.asked(), []);
        assert_eq!(rig.audited().await.len(), 0);
    }
}

#[test]
fn a_peer_with_shorter_frames_asks_with_its_own() {
    let needs = choose::needs(&network("10.20.1.1/16", 9000, "vmotion"), &plan());
    assert_eq!(needs.len(), 1);
    assert_eq!((needs[0].address, needs[0].mtu.get()), (Ipv4Addr::new(10, 20, 1, 1), 9000));
    let candidate = |name: &str, mtu| Candidate {
        host: id(name),
        network: network("10.20.1.9/16", mtu, "VMotion"),
        askable: true,
    };
    let all = [
        candidate("a", 1500),
        candidate("b", 8000),
        candidate("c", 9000),
        candidate("d", 9100),
        candidate("e", 9000),
    ];
    let told = |witnesses: Vec<Witness>| {
        witnesses.into_iter().map(|witness| (witness.host.to_string(), witness.size)).collect::<Vec<_>>()
    };
    let full = |name: &str| (name.to_owned(), Some(8972));
    assert_eq!(told(choose::witnesses(&needs[0], &all)), [full("c"), full("d"), full("e")]);
    let few = told(choose::witnesses(&needs[0], &all[..2]));
    assert_eq!(few, [("a".to_owned(), None), ("b".to_owned(), Some(7972))]);
    // An own netstack for vMotion says it without a tag.
    let mut untagged = network("10.20.1.1/16", 9000, "Management");
    let vmk = untagged.vmkernels.read_mut().unwrap().values_mut().next().unwrap();
    vmk.netstack = model::NetstackName::new("vmotion").unwrap();
    assert_eq!(choose::needs(&untagged, &plan()).len(), 1);
}

#[tokio::test]
async fn a_change_whose_rfc_waives_witnesses_asks_nobody_and_says_so() {
    let rig = Rig::new(&peers(3, 9000)).await;
    let change = rig.world.push(&[("pointsman.yaml".to_owned(), "schema: 1\n".to_owned())]).await;
    let mut tx = rig.world.db.begin().await.unwrap();
    witness_waivers::set(&mut tx, &change.id, "all peers move at once").await.unwrap();
    tx.commit().await.unwrap();
    rig.peers.answer("h01", fail());
    rig.peers.answer("h02", fail());
    let refused = rig.refused().await;
    assert!(refused.contains("cannot reach vmk1"), "another change needs them: {refused}");
    rig.peers.asked();
    let rig = Rig { change: change.id.clone(), ..rig };
    for _ in 0..2 {
        assert_eq!(rig.gate().await, Ok(()));
    }
    assert_eq!(rig.peers.asked(), [], "nobody is asked");
    let audited = rig.audited().await;
    let waived: Vec<_> = audited.iter().filter(|entry| entry.action == "host.witnesses_waived").collect();
    assert_eq!(waived.len(), 1, "once");
    for part in ["vmk1", "all peers move at once", change.id.as_str()] {
        assert!(waived[0].detail.contains(part), "{part}: {}", waived[0].detail);
    }
}
