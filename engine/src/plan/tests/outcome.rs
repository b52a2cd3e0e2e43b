//! Findings about the end of a plan: only what the plan brings is told.

use super::world::realise;
use crate::documents::parse_network;
use crate::plan::plan;
use model::{DesiredNetwork, LinkState, Mtu, ObservedNetwork};

const HOST: &str = "
vswitches:
  vSwitch0: {uplinks: [vmnic0], teaming: {uplinks: {active: [vmnic0]}}}
port_groups:
  pg 0: {vswitch: vSwitch0}
vmkernels:
  vmk0: {port_group: pg 0, ipv4: {static: {address: 10.0.0.11/24}}}
";

fn read(text: &str) -> DesiredNetwork {
    parse_network("network.yaml", text).unwrap()
}

/// A host whose adapter has this MTU, on a switch of 1500.
fn host(mtu: u32) -> ObservedNetwork {
    let mut host = realise(&read(HOST), [LinkState::Up; 4]).unwrap();
    for vmk in host.vmkernels.read_mut().unwrap().values_mut() {
        vmk.mtu = model::Known::Read(Mtu::new(mtu).unwrap());
    }
    host
}

#[test]
fn an_old_misfit_is_told_only_when_it_gets_worse() {
    let rows = [
        (2000, "port_groups: {pg 0: {vlan: 9}}", None),
        (2000, "vmkernels: {vmk0: {mtu: 1600}}", None),
        (2000, "vmkernels: {vmk0: {mtu: 9000}}", Some("MTU-001")),
        (2000, "vswitches: {vSwitch0: {mtu: 1400}}", Some("MTU-004")),
        (1500, "vmkernels: {vmk0: {mtu: 1501}}", Some("MTU-001")),
        (1500, "vmkernels: {vmk0: {mtu: 1499}}", None),
        (1500, "vswitches: {vSwitch0: {mtu: 1499}}", Some("MTU-004")),
        (1500, "vswitches: {vSwitch0: {mtu: 9000}}", None),
        (1500, "{vswitches: {vSwitch0: {mtu: 9000}}, vmkernels: {vmk0: {mtu: 9000}}}", None),
    ];
    for (mtu, wanted, rule) in rows {
        let planned = plan(&read(wanted), &host(mtu));
        let told: Vec<&str> = planned.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(told, rule.into_iter().collect::<Vec<_>>(), "{mtu}: {wanted}");
        assert_eq!(planned.plan.is_empty(), rule.is_some(), "{mtu}: {wanted}");
    }
}

#[test]
fn an_empty_order_is_told_once() {
    let empty = read("port_groups: {pg 0: {teaming: {uplinks: {active: []}}}}");
    let told = |host: &ObservedNetwork, wanted: &DesiredNetwork| {
        plan(wanted, host).findings.iter().filter(|finding| finding.rule == "TEAM-003").count()
    };
    let host = host(1500);
    assert_eq!(told(&host, &empty), 1);
    let after = super::world::run(&plan(&empty, &host), &host);
    assert_eq!(told(&after, &read("port_groups: {pg 0: {vlan: 9}}")), 0);
}
