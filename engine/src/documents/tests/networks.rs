//! Generated networks for the property that what is written reads back equal.

use model::*;
use proptest::option;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Texts with everything that needs quotes or escapes.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 _.:#{}$&*!|>'\"%@,-]{1,12}",
        "\\PC{1,8}",
        "(true|null|~|0x1|1e3|- a|a: b|\\$\\{x\\})"
    ]
}

fn names<T: std::fmt::Debug, E>(make: fn(String) -> Result<T, E>) -> impl Strategy<Value = T> {
    word().prop_filter_map("no name", move |text| make(text).ok())
}

fn switch_name() -> impl Strategy<Value = VswitchName> {
    names(VswitchName::new)
}

fn group_name() -> impl Strategy<Value = PortGroupName> {
    names(PortGroupName::new)
}

fn nic_name() -> impl Strategy<Value = VmnicName> {
    prop_oneof![
        (0_u8..8).prop_filter_map("name", |n| VmnicName::new(format!("vmnic{n}")).ok()),
        names(VmnicName::new)
    ]
}

fn stack_name() -> impl Strategy<Value = NetstackName> {
    names(NetstackName::new)
}

fn vmk_name() -> impl Strategy<Value = VmkName> {
    (0_u8..=255).prop_filter_map("name", |n| VmkName::new(format!("vmk{n}")).ok())
}

fn mtu() -> impl Strategy<Value = Mtu> {
    (1280_u32..9190).prop_filter_map("mtu", |n| Mtu::new(n).ok())
}

fn mac() -> impl Strategy<Value = MacAddress> {
    any::<[u8; 6]>().prop_map(MacAddress::new)
}

fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from_bits)
}

fn cidr() -> impl Strategy<Value = Ipv4Cidr> {
    (ipv4(), 0_u8..=32).prop_filter_map("cidr", |(address, prefix)| Ipv4Cidr::new(address, prefix))
}

fn cidr6() -> impl Strategy<Value = Ipv6Cidr> {
    (any::<u128>(), 0_u8..=128)
        .prop_filter_map("cidr", |(bits, prefix)| Ipv6Cidr::new(Ipv6Addr::from_bits(bits), prefix))
}

fn balancing() -> impl Strategy<Value = LoadBalancing> {
    use LoadBalancing::*;
    prop_oneof![Just(PortId), Just(IpHash), Just(SourceMac), Just(Explicit)]
}

fn detection() -> impl Strategy<Value = FailureDetection> {
    prop_oneof![Just(FailureDetection::Link), Just(FailureDetection::Beacon)]
}

fn order() -> impl Strategy<Value = UplinkOrder> {
    let list = || prop::collection::vec(nic_name(), 0..3);
    (list(), list()).prop_map(|(active, standby)| UplinkOrder { active, standby })
}

fn setting<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Setting<T>>> {
    option::of(option::of(value).prop_map(|value| value.map_or(Setting::Inherit, Setting::Value)))
}

fn shaping() -> impl Strategy<Value = ShapingPolicy> {
    option::of(any::<(u32, u32, u32)>()).prop_map(|numbers| match numbers {
        None => ShapingPolicy::Off,
        Some((average_kbps, peak_kbps, burst_kib)) => {
            ShapingPolicy::On(ShapingRate { average_kbps, peak_kbps, burst_kib })
        }
    })
}

fn flag() -> impl Strategy<Value = Option<bool>> {
    any::<Option<bool>>()
}

fn presence<T: Clone + std::fmt::Debug>(
    fields: impl Strategy<Value = T>,
) -> impl Strategy<Value = Presence<T>> {
    prop_oneof![4 => fields.prop_map(Presence::Present), 1 => Just(Presence::Absent)]
}

prop_compose! {
    fn switch_teaming()(load_balancing in option::of(balancing()), failure_detection in option::of(detection()),
        notify_switches in flag(), failback in flag(), uplinks in option::of(order())) -> DesiredTeaming {
        DesiredTeaming { load_balancing, failure_detection, notify_switches, failback, uplinks }
    }
}

prop_compose! {
    fn group_teaming()(load_balancing in setting(balancing()), failure_detection in setting(detection()),
        notify_switches in setting(any::<bool>()), failback in setting(any::<bool>()),
        uplinks in setting(order())) -> PortGroupTeaming {
        PortGroupTeaming { load_balancing, failure_detection, notify_switches, failback, uplinks }
    }
}

prop_compose! {
    fn switch()(mtu in option::of(mtu()), cdp in option::of(prop_oneof![Just(CdpStatus::Down), Just(CdpStatus::Both)]),
        uplinks in option::of(prop::collection::vec(nic_name(), 0..4)), teaming in option::of(switch_teaming()),
        security in option::of((flag(), flag(), flag())), shaping in option::of(shaping())) -> DesiredVswitch {
        let security = security.map(|(allow_promiscuous, allow_mac_change, allow_forged_transmits)| {
            DesiredSecurity { allow_promiscuous, allow_mac_change, allow_forged_transmits }
        });
        DesiredVswitch { mtu, cdp, uplinks, teaming, security, shaping }
    }
}

prop_compose! {
    fn group()(vswitch in option::of(switch_name()), vlan in option::of(0_u64..4096),
        teaming in option::of(group_teaming()),
        security in option::of((setting(any::<bool>()), setting(any::<bool>()), setting(any::<bool>()))),
        shaping in setting(shaping())) -> DesiredPortGroup {
        let security = security.map(|(allow_promiscuous, allow_mac_change, allow_forged_transmits)| {
            PortGroupSecurity { allow_promiscuous, allow_mac_change, allow_forged_transmits }
        });
        let vlan = vlan.and_then(|vlan| Vlan::try_from(vlan).ok());
        DesiredPortGroup { vswitch, vlan, teaming, security, shaping }
    }
}

fn ipv4_config() -> impl Strategy<Value = Ipv4Config> {
    prop_oneof![
        Just(Ipv4Config::None),
        Just(Ipv4Config::Dhcp),
        (cidr(), option::of(ipv4())).prop_map(|(address, gateway)| Ipv4Config::Static { address, gateway }),
    ]
}

prop_compose! {
    fn ipv6()(dhcp in flag(), router_advertisements in flag(),
        addresses in option::of(prop::collection::btree_set(cidr6(), 0..3))) -> DesiredIpv6 {
        DesiredIpv6 { dhcp, router_advertisements, addresses }
    }
}

prop_compose! {
    fn vmk()(port_group in option::of(group_name()), netstack in option::of(stack_name()), mtu in option::of(mtu()),
        mac in option::of(mac()), enabled in flag(), ipv4 in option::of(ipv4_config()), ipv6 in option::of(ipv6()),
        services in option::of(prop::collection::vec(word().prop_map(ServiceTag::new), 0..3))) -> DesiredVmk {
        let services = services.map(BTreeSet::from_iter);
        DesiredVmk { port_group, netstack, mtu, mac, enabled, ipv4, ipv6, services }
    }
}

prop_compose! {
    fn nic()(pci in option::of(word()), mac in option::of(mac()),
        admin in option::of(prop_oneof![Just(LinkState::Up), Just(LinkState::Down)]),
        link in option::of(option::of((any::<u32>(), any::<bool>())))) -> DesiredNic {
        let link = link.map(|fixed| fixed.map_or(NicLink::Auto, |(speed_mbps, full)| {
            NicLink::Fixed { speed_mbps, duplex: if full { Duplex::Full } else { Duplex::Half } }
        }));
        DesiredNic { pci, mac, admin, link }
    }
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![ipv4().prop_map(IpAddr::V4), any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into())]
}

prop_compose! {
    fn stack()(routes in prop::collection::vec((option::of(cidr()), option::of(ipv4())), 0..3),
        dns_servers in option::of(prop::collection::vec(address(), 0..3)),
        dns_search in option::of(prop::collection::vec(any::<String>(), 0..12))) -> DesiredNetstack {
        let route = |(network, gateway): (Option<Ipv4Cidr>, Option<Ipv4Addr>)| {
            let network = match network.map(Ipv4Cidr::network) {
                Some(network) if network.prefix() > 0 => RouteNetwork::Network(network),
                _ => RouteNetwork::Default,
            };
            (network, gateway.map_or(RouteSetting::Absent, RouteSetting::Via))
        };
        let routes = routes.into_iter().map(route).collect();
        DesiredNetstack { routes, dns_servers, dns_search }
    }
}

fn kind() -> impl Strategy<Value = ObjectKind> {
    use ObjectKind::*;
    prop_oneof![Just(Vswitches), Just(PortGroups), Just(Vmkernels), Just(Netstacks)]
}

fn map<K: Ord + std::fmt::Debug, V: std::fmt::Debug>(
    key: impl Strategy<Value = K>,
    value: impl Strategy<Value = V>,
) -> impl Strategy<Value = BTreeMap<K, V>> {
    prop::collection::btree_map(key, value, 0..4)
}

prop_compose! {
    /// Any network a document can hold.
    pub(super) fn any_network()(vswitches in map(switch_name(), presence(switch())),
        port_groups in map(group_name(), presence(group())), vmkernels in map(vmk_name(), presence(vmk())),
        nics in map(nic_name(), nic()), netstacks in map(stack_name(), presence(stack())),
        managed in map(kind(), prop_oneof![Just(ManagedScope::Listed), Just(ManagedScope::Full)]),
        prune in any::<bool>()) -> DesiredNetwork {
        DesiredNetwork { vswitches, port_groups, vmkernels, nics, netstacks, managed, prune }
    }
}
