//! The window, case by case.

use super::confirm_window;
use model::{
    Disruption, Ipv4Config, Millis, Operation, Plan, Step, TeamingChange, VmkIpv6Change, VmkName, VmnicName,
    VswitchName,
};

fn plan(steps: Vec<(Operation, Disruption)>) -> Plan {
    let disruption = steps.iter().map(|(_, disruption)| *disruption).max().unwrap_or_default();
    let step = |(operation, disruption)| Step { operation, inverse: Vec::new(), disruption };
    Plan { steps: steps.into_iter().map(step).collect(), disruption, ..Plan::default() }
}

#[test]
fn a_window_covers_what_has_to_settle() {
    use Disruption::{LinkBounce, ManagementPath, None, Replace, TrafficLoss};
    let vmk = || VmkName::new("vmk1").unwrap();
    let vmnic = || VmnicName::new("vmnic1").unwrap();
    let vswitch = || VswitchName::new("vSwitch1").unwrap();
    let teaming = || Operation::VswitchTeamingSet { vswitch: vswitch(), change: TeamingChange::default() };
    let joins = || Operation::UplinkAdd { vswitch: vswitch(), vmnic: vmnic() };
    let lease = || Operation::VmkIpv4Set { vmk: vmk(), ipv4: Ipv4Config::Dhcp };
    let fixed = || {
        let ipv4 = Ipv4Config::Static { address: "10.0.20.11/24".parse().unwrap(), gateway: Option::None };
        Operation::VmkIpv4Set { vmk: vmk(), ipv4 }
    };
    let ipv6 = |dhcp| {
        let change = VmkIpv6Change { dhcp: Some(dhcp), router_advertisements: Option::None };
        Operation::VmkIpv6Set { vmk: vmk(), change }
    };
    let gone = || Operation::VmkRemove { vmk: vmk() };
    let table = [
        ("nothing settles", vec![], 60),
        ("order without bounce", vec![(teaming(), None)], 60),
        ("order with bounce", vec![(teaming(), LinkBounce)], 90),
        ("two bounces settle at once", vec![(teaming(), LinkBounce), (joins(), None)], 90),
        ("an uplink joins", vec![(joins(), None)], 90),
        ("a NIC comes up", vec![(Operation::NicUp { vmnic: vmnic() }, None)], 90),
        ("a NIC goes down", vec![(Operation::NicDown { vmnic: vmnic() }, TrafficLoss)], 60),
        ("another address", vec![(fixed(), TrafficLoss)], 70),
        ("the address of a new adapter", vec![(fixed(), None)], 60),
        ("made anew", vec![(gone(), Replace)], 70),
        ("removed for good", vec![(gone(), TrafficLoss)], 60),
        ("a lease on a new adapter", vec![(lease(), None)], 90),
        ("a lease instead of an address", vec![(lease(), TrafficLoss)], 100),
        ("DHCPv6 on", vec![(ipv6(true), TrafficLoss)], 90),
        ("DHCPv6 off", vec![(ipv6(false), TrafficLoss)], 60),
        ("everything", vec![(joins(), None), (lease(), None), (gone(), Replace)], 130),
        ("everything, with management", vec![(joins(), None), (lease(), None), (gone(), ManagementPath)], 60),
    ];
    for (name, steps, seconds) in table {
        assert_eq!(confirm_window(&plan(steps)), Millis::from_secs(seconds), "{name}");
    }
}
