//! Values that the tests store.

use crate::store::changes::{Acceptance, NewChange};
use crate::store::hosts::{self, KnownHost};
use crate::store::plans::NewPlan;
use crate::store::rfcs::{NewRfc, RfcState};
use crate::store::rollouts::NewRollout;
use crate::store::{Db, changes};
use model::{
    ApplyOutcome, ChangeId, DesiredNetwork, Disruption, Generation, HostGroupId, HostId, Labels,
    ObservedNetwork, Operation, OutcomeKind, Plan, PlanDigest, ProbePlan, RolloutId, RolloutPhase,
    RolloutSpec, Step, Wall, Wave,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

pub fn change_id(name: &str) -> ChangeId {
    ChangeId::new(name).unwrap()
}

pub fn rollout_id(name: &str) -> RolloutId {
    RolloutId::new(name).unwrap()
}

pub fn group(name: &str) -> HostGroupId {
    HostGroupId::new(name).unwrap()
}

pub fn known(name: &str, of_group: &str) -> KnownHost {
    KnownHost { id: host(name), group: group(of_group), labels: Labels::from([("rack".into(), "r1".into())]) }
}

/// Makes hosts `names` known, in group `prod`.
pub async fn add_hosts(db: &Db, names: &[&str]) {
    let hosts: Vec<KnownHost> = names.iter().map(|name| known(name, "prod")).collect();
    let mut tx = db.begin().await.unwrap();
    hosts::upsert_known_hosts(&mut tx, &BTreeMap::new(), &hosts, Wall(1)).await.unwrap();
    tx.commit().await.unwrap();
}

pub fn read(value: Value) -> Value {
    json!({ "read": value })
}

/// A small host: one switch, one port group with this VLAN, one adapter, one NIC, one netstack.
pub fn network(vlan: u16, taken_at: u64) -> ObservedNetwork {
    let inherited = |value: Value| json!({ "inherited": value });
    let teaming = json!({
        "load_balancing": "portid", "failure_detection": "link", "notify_switches": true, "failback": true,
        "uplinks": { "active": ["vmnic0"], "standby": [] },
    });
    let group_teaming: serde_json::Map<String, Value> =
        teaming.as_object().unwrap().iter().map(|(k, v)| (k.clone(), inherited(v.clone()))).collect();
    let security =
        json!({ "allow_promiscuous": false, "allow_mac_change": false, "allow_forged_transmits": false });
    let group_security: serde_json::Map<String, Value> =
        security.as_object().unwrap().iter().map(|(k, v)| (k.clone(), inherited(v.clone()))).collect();
    let shaping = serde_json::to_value(model::ShapingPolicy::Off).unwrap();
    serde_json::from_value(json!({
        "taken_at": taken_at,
        "facts": { "hostname": "esx", "version": "8.0.3", "boot_id": "b1" },
        "management_vmk": read(json!("vmk0")),
        "vswitches": read(json!({ "vSwitch0": {
            "mtu": read(json!(1500)), "cdp": read(json!("listen")), "uplinks": read(json!(["vmnic0"])),
            "teaming": read(teaming), "security": read(security), "shaping": read(shaping.clone()),
        }})),
        "port_groups": read(json!({ "VM Network": {
            "vswitch": "vSwitch0", "vlan": read(json!(vlan)), "active_clients": 2,
            "teaming": read(Value::Object(group_teaming)), "security": read(Value::Object(group_security)),
            "shaping": read(inherited(shaping)),
        }})),
        "vmkernels": read(json!({ "vmk0": {
            "attachment": { "port_group": "VM Network" }, "netstack": "defaultTcpipStack", "enabled": true,
            "mac": read(json!("00:50:56:0a:0b:0c")), "mtu": { "unreadable": { "reason": "timed out" } },
            "ipv4": read(json!({ "static": { "address": "10.0.0.7/24", "gateway": null } })),
            "ipv6": read(json!({ "dhcp": false, "router_advertisements": false })),
            "services": read(json!(["Management"])),
        }})),
        "nics": read(json!({ "vmnic0": {
            "driver": "ixgben\u{0}", "pci": "0000:3b:00.0", "mac": read(json!("00:50:56:00:00:01")),
            "admin": read(json!("up")), "link": "up", "speed_mbps": 10000, "duplex": "full",
            "auto_negotiation": read(json!(true)),
        }})),
        "netstacks": read(json!({ "defaultTcpipStack": {
            "routes": read(json!([{ "network": "default", "gateway": "10.0.0.1", "vmk": "vmk0" }])),
            "dns_servers": read(json!(["10.0.0.53"])), "dns_search": read(json!([])),
        }})),
        "vms": read(json!([])),
        "dvs": read(json!([])),
    }))
    .unwrap()
}

pub fn desired(vlan: u16) -> DesiredNetwork {
    serde_json::from_value(
        json!({ "port_groups": { "VM Network": { "vswitch": "vSwitch0", "vlan": vlan } } }),
    )
    .unwrap()
}

pub fn plan(name: &str, vlan: u16) -> NewPlan {
    let set = |vlan: u64| Operation::PortGroupVlanSet {
        port_group: "VM Network".parse().unwrap(),
        vlan: model::Vlan::try_from(vlan).unwrap(),
    };
    let disruption = Disruption::TrafficLoss;
    let step = Step { operation: set(vlan.into()), inverse: vec![set(1)], disruption };
    NewPlan {
        host: host(name),
        plan: Plan { steps: vec![step], disruption, digest: PlanDigest(format!("{vlan:064x}")) },
        desired: desired(vlan),
        esxcli_lines: vec![format!("esxcli network vswitch standard portgroup set --vlan-id={vlan}")],
    }
}

pub fn new_change(name: &str, created: u64) -> NewChange {
    NewChange {
        id: change_id(name),
        commit: format!("commit-{name}"),
        parent: None,
        author: "ann".into(),
        message: "New VLAN".into(),
        findings: vec![],
        disruption_allowed: Disruption::TrafficLoss,
        probes: ProbePlan { probes: vec!["mgmt-gateway".into()], need: None },
        created: Wall(created),
    }
}

pub fn new_rfc(number: u32) -> NewRfc {
    let document = serde_json::from_value(json!({
        "rfc": number, "title": "New VLAN", "type": "normal", "status": "proposed", "authors": ["ann"],
        "reason": "a new service",
    }))
    .unwrap();
    NewRfc {
        document,
        body: "Words.".into(),
        state: RfcState::Merged,
        commit: "c".into(),
        author: "ann".into(),
        path: format!("rfcs/{number:04}-vlan.md"),
    }
}

/// A change on `hosts` with VLAN `vlan`, RFC 7, and a rollout named after it.
pub fn acceptance(name: &str, hosts: &[&str], vlan: u16, created: u64) -> Acceptance {
    Acceptance {
        change: new_change(name, created),
        rfc: Some(new_rfc(7)),
        plans: hosts.iter().map(|h| plan(h, vlan)).collect(),
        rollout: Some(NewRollout {
            id: rollout_id(&format!("rollout-{name}")),
            spec: RolloutSpec::default(),
            phase: RolloutPhase::Pending,
            state: json!({ "step": 0 }),
            waves: hosts.iter().map(|h| Wave { hosts: vec![host(h)] }).collect(),
        }),
    }
}

pub async fn accept(db: &Db, acceptance: &Acceptance) -> BTreeMap<HostId, Generation> {
    let mut tx = db.begin().await.unwrap();
    let generations = changes::accept_change(&mut tx, acceptance, "task:repo_sync").await.unwrap();
    tx.commit().await.unwrap();
    generations
}

pub fn outcome(change: &str, generation: u64, kind: OutcomeKind) -> ApplyOutcome {
    ApplyOutcome {
        change: change_id(change),
        generation: Generation(generation),
        kind,
        steps_run: 1,
        esxcli_calls: 9,
        approval: None,
    }
}
