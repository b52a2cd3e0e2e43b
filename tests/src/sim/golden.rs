//! Changes of a host's network: named ones that every release must survive, and drawn ones.
//!
//! Owns: what is asked of hosts. A change is a partial desired network, so it is always an edit of what is there. Must
//! not decide how it is done; `engine::plan` does. Called by `crash` (each one on its own) and by `operator`.

use super::rng::Rng;
use model::{DesiredNetwork, Disruption};
use serde_json::{Value, json};
use simulator::Host;
use simulator::fleet::{FleetRequest, make_host};
use std::net::Ipv4Addr;

/// One change of one host.
#[derive(Debug, Clone)]
pub struct Golden {
    /// Its name.
    pub name: String,
    /// What should be.
    pub desired: DesiredNetwork,
    /// What its approvers allow.
    pub allowed: Disruption,
}

/// Changes the crash enumeration begins with, named and drawn together.
pub const GOLDEN_COUNT: usize = 60;

/// A host of the simulated fleet; numbers count from 1.
#[must_use]
pub fn host(number: u32) -> Host {
    let request = FleetRequest { count: 0, group: "sim".to_owned(), version: "8.0".to_owned() };
    make_host(&request, number)
}

fn management_address(host: &Host) -> Ipv4Addr {
    let vmk = host.running.vmks.get("vmk0");
    vmk.and_then(|vmk| vmk.ipv4.address).unwrap_or(Ipv4Addr::LOCALHOST)
}

/// The same host number in another third octet block.
fn moved(address: Ipv4Addr, network: u8) -> String {
    let [_, _, high, low] = address.octets();
    format!("10.{network}.{}.{low}/16", high.wrapping_add(100))
}

/// Every named change.
fn named(host: &Host) -> Vec<(&'static str, Value)> {
    let mut all = harmless();
    all.extend(switches());
    all.extend(adapters(host));
    all.extend(cutting(host));
    all
}

fn harmless() -> Vec<(&'static str, Value)> {
    vec![
        ("port group", json!({"port_groups": {"backup": {"vswitch": "vSwitch1", "vlan": 130}}})),
        (
            "three port groups",
            json!({"port_groups": {
                "a": {"vswitch": "vSwitch1", "vlan": 131}, "b": {"vswitch": "vSwitch1", "vlan": 132},
                "c": {"vswitch": "vSwitch0", "vlan": 133}}}),
        ),
        ("vlan", json!({"port_groups": {"app-web": {"vlan": 141}}})),
        ("two vlans", json!({"port_groups": {"app-web": {"vlan": 142}, "app-db": {"vlan": 143}}})),
        (
            "port group with policies",
            json!({"port_groups": {"dmz": {"vswitch": "vSwitch1", "vlan": 144,
                "teaming": {"uplinks": {"active": ["vmnic3"], "standby": ["vmnic2"]}, "failback": false},
                "security": {"allow_promiscuous": true},
                "shaping": {"on": {"average_kbps": 1000, "peak_kbps": 2000, "burst_kib": 512}}}}}),
        ),
        ("remove port group", json!({"port_groups": {"VM Network": {"absent": true}}})),
        ("dns", json!({"netstacks": {"defaultTcpipStack": {"dns_servers": ["10.10.0.99", "10.10.0.53"]}}})),
        (
            "dns search",
            json!({"netstacks": {"defaultTcpipStack": {"dns_search": ["a.example", "b.example"]}}}),
        ),
        ("route", json!({"netstacks": {"defaultTcpipStack": {"routes": {"192.168.7.0/24": "10.10.0.7"}}}})),
        (
            "port group shaping",
            json!({"port_groups": {"app-db": {"shaping": {"on":
            {"average_kbps": 5000, "peak_kbps": 9000, "burst_kib": 1024}}}}}),
        ),
        (
            "port group security",
            json!({"port_groups": {"app-db": {"security": {"allow_forged_transmits": true}}}}),
        ),
    ]
}

fn switches() -> Vec<(&'static str, Value)> {
    vec![
        ("mtu up", json!({"vswitches": {"vSwitch1": {"mtu": 9000}}, "vmkernels": {"vmk1": {"mtu": 9000}}})),
        ("switch mtu", json!({"vswitches": {"vSwitch1": {"mtu": 4000}}})),
        ("management switch mtu", json!({"vswitches": {"vSwitch0": {"mtu": 9000}}})),
        ("cdp", json!({"vswitches": {"vSwitch1": {"cdp": "both"}}})),
        ("switch security", json!({"vswitches": {"vSwitch1": {"security": {"allow_mac_change": true}}}})),
        (
            "teaming",
            json!({"vswitches": {"vSwitch1": {"teaming":
            {"uplinks": {"active": ["vmnic2"], "standby": ["vmnic3"]}, "notify_switches": false}}}}),
        ),
        (
            "management teaming",
            json!({"vswitches": {"vSwitch0": {"teaming":
            {"uplinks": {"active": ["vmnic1"], "standby": ["vmnic0"]}}}}}),
        ),
        (
            "both active",
            json!({"vswitches": {"vSwitch0": {"teaming":
            {"uplinks": {"active": ["vmnic0", "vmnic1"], "standby": []}}}}}),
        ),
        (
            "uplink away",
            json!({"vswitches": {"vSwitch1": {"uplinks": ["vmnic2"]}},
            "port_groups": {"vMotion": {"teaming": {"uplinks": {"active": ["vmnic2"], "standby": []}}}}}),
        ),
        (
            "switch",
            json!({"vswitches": {"vSwitch2": {"mtu": 9000}},
            "port_groups": {"lab": {"vswitch": "vSwitch2", "vlan": 150}}}),
        ),
        (
            "uplink to a new switch",
            json!({"vswitches": {"vSwitch1": {"uplinks": ["vmnic2"]},
            "vSwitch2": {"uplinks": ["vmnic3"]}},
            "port_groups": {"vMotion": {"teaming": {"uplinks": {"active": ["vmnic2"], "standby": []}}},
                "lab": {"vswitch": "vSwitch2", "vlan": 151}}}),
        ),
        (
            "shaping",
            json!({"vswitches": {"vSwitch1": {"shaping": {"on":
            {"average_kbps": 100_000, "peak_kbps": 200_000, "burst_kib": 4096}}}}}),
        ),
        (
            "uplink swap",
            json!({"vswitches": {"vSwitch0": {"uplinks": ["vmnic0", "vmnic3"], "teaming":
            {"uplinks": {"active": ["vmnic0"], "standby": ["vmnic3"]}}},
            "vSwitch1": {"uplinks": ["vmnic2", "vmnic1"], "teaming":
            {"uplinks": {"active": ["vmnic2", "vmnic1"], "standby": []}}}},
            "port_groups": {"vMotion": {"teaming": {"uplinks": {"active": ["vmnic2"], "standby": ["vmnic1"]}}}}}),
        ),
    ]
}

fn adapters(host: &Host) -> Vec<(&'static str, Value)> {
    let vmotion = moved(management_address(host), 20);
    vec![
        ("adapter mtu", json!({"vmkernels": {"vmk1": {"mtu": 1400}}})),
        ("adapter address", json!({"vmkernels": {"vmk1": {"ipv4": {"static": {"address": vmotion}}}}})),
        (
            "adapter services",
            json!({"vmkernels": {"vmk1": {"services": ["VMotion", "vSphereProvisioning"]}}}),
        ),
        (
            "new adapter",
            json!({"port_groups": {"ft": {"vswitch": "vSwitch1", "vlan": 20}},
            "vmkernels": {"vmk2": {"port_group": "ft", "mtu": 1500, "ipv4": {"static": {"address": "10.20.200.9/16"}},
                "services": ["faultToleranceLogging"]}}}),
        ),
        (
            "adapter by dhcp",
            json!({"port_groups": {"dhcp": {"vswitch": "vSwitch1", "vlan": 50}},
            "vmkernels": {"vmk2": {"port_group": "dhcp", "ipv4": "dhcp"}}}),
        ),
        (
            "adapter moves",
            json!({"port_groups": {"vMotion-2": {"vswitch": "vSwitch0", "vlan": 20}},
            "vmkernels": {"vmk1": {"port_group": "vMotion-2"}}}),
        ),
        ("adapter removed", json!({"vmkernels": {"vmk1": {"absent": true}}})),
        ("netstack", json!({"netstacks": {"vmotion": {}}})),
        (
            "adapter ipv6",
            json!({"vmkernels": {"vmk1": {"ipv6":
            {"router_advertisements": true, "addresses": ["fd00::20/64"]}}}}),
        ),
    ]
}

/// Changes that cut the host off its coordinators, or may.
fn cutting(host: &Host) -> Vec<(&'static str, Value)> {
    let address = management_address(host);
    vec![
        ("management vlan", json!({"port_groups": {"Management Network": {"vlan": 100}}})),
        (
            "management vlan and more",
            json!({"port_groups": {"Management Network": {"vlan": 20},
            "extra": {"vswitch": "vSwitch0", "vlan": 160}, "app-web": {"vlan": 161}}}),
        ),
        (
            "management address",
            json!({"vmkernels": {"vmk0": {"ipv4": {"static": {"address": moved(address, 10)}}}}}),
        ),
        (
            "management subnet",
            json!({"vmkernels": {"vmk0": {"ipv4": {"static": {"address": moved(address, 77)}}}}}),
        ),
        ("vMotion alone in a VLAN", json!({"port_groups": {"vMotion": {"vlan": 10}}})),
        ("management mtu", json!({"vmkernels": {"vmk0": {"mtu": 1400}}})),
        ("management uplinks away", json!({"vswitches": {"vSwitch0": {"uplinks": []}}})),
        ("management disabled", json!({"vmkernels": {"vmk0": {"enabled": false}}})),
        (
            "management moves",
            json!({"port_groups": {"Management-2": {"vswitch": "vSwitch1", "vlan": 10}},
            "vmkernels": {"vmk0": {"port_group": "Management-2"}}}),
        ),
        (
            "management moves astray",
            json!({"port_groups": {"Management-3": {"vswitch": "vSwitch1", "vlan": 170}},
            "vmkernels": {"vmk0": {"port_group": "Management-3"}}}),
        ),
        ("gateway", json!({"netstacks": {"defaultTcpipStack": {"routes": {"default": "10.10.0.2"}}}})),
    ]
}

/// A drawn change; may ask for nothing new.
#[must_use]
pub fn drawn(host: &Host, rng: &mut Rng) -> Value {
    let mut wanted = json!({});
    for _ in 0..rng.between(1, 3) {
        let (_, edit) = one(host, rng);
        merge(&mut wanted, edit);
    }
    wanted
}

fn one(host: &Host, rng: &mut Rng) -> (&'static str, Value) {
    let group = |rng: &mut Rng| {
        rng.pick(&host.running.port_groups).map_or_else(|| "new".to_owned(), |group| group.name.clone())
    };
    let vlan = rng.between(100, 199);
    let switch = format!("vSwitch{}", rng.below(2));
    let number = rng.below(100);
    match rng.below(12) {
        0..=2 => (
            "drawn port group",
            json!({"port_groups": {format!("pg-{number}"): {"vswitch": switch, "vlan": vlan}}}),
        ),
        3 | 4 => {
            let name = ["app-web", "app-db", "VM Network"][rng.index(3)];
            ("drawn vlan", json!({"port_groups": {name: {"vlan": vlan}}}))
        }
        5 => ("drawn mtu", json!({"vswitches": {switch: {"mtu": rng.between(15, 90) * 100}}})),
        6 => (
            "drawn dns",
            json!({"netstacks": {"defaultTcpipStack": {"dns_servers":
            [format!("10.10.0.{}", rng.between(50, 99)), "10.10.0.53"]}}}),
        ),
        7 => (
            "drawn route",
            json!({"netstacks": {"defaultTcpipStack": {"routes":
            {format!("192.168.{number}.0/24"): "10.10.0.9"}}}}),
        ),
        8 => {
            let name = group(rng);
            (
                "drawn security",
                json!({"port_groups": {name: {"security": {"allow_mac_change": rng.chance(500)}}}}),
            )
        }
        9 => {
            let mut order = ["vmnic2", "vmnic3"];
            if rng.chance(500) {
                order.reverse();
            }
            (
                "drawn teaming",
                json!({"vswitches": {"vSwitch1": {"teaming":
                {"uplinks": {"active": [order[0]], "standby": [order[1]]}}}}}),
            )
        }
        10 => ("drawn adapter", json!({"vmkernels": {"vmk1": {"mtu": rng.between(14, 15) * 100}}})),
        _ => ("drawn switch", json!({"vswitches": {format!("vSwitch{}", rng.between(2, 6)): {"mtu": 1500}}})),
    }
}

/// Puts `more` into `into`, field by field.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// A change from its form as text; none when it is no desired network, which tests tell.
#[must_use]
pub fn golden(name: &str, wanted: Value) -> Option<Golden> {
    let desired = serde_json::from_value(wanted).ok()?;
    Some(Golden { name: name.to_owned(), desired, allowed: Disruption::ManagementPath })
}

/// The named changes, then drawn ones; the same for the same host.
#[must_use]
pub fn all(host: &Host) -> Vec<Golden> {
    let mut rng = Rng::new(2026);
    let mut all: Vec<Golden> =
        named(host).into_iter().filter_map(|(name, wanted)| golden(name, wanted)).collect();
    for number in all.len()..GOLDEN_COUNT {
        all.extend(golden(&format!("drawn {number}"), drawn(host, &mut rng)));
    }
    all
}

/// A change for a running fleet: drawn, named, or one that cuts the host off.
#[must_use]
pub fn any(host: &Host, rng: &mut Rng) -> Option<Golden> {
    let choice = match rng.below(10) {
        0..=4 => None,
        5..=6 => rng.pick(&cutting(host)).cloned(),
        _ => rng.pick(&named(host)).cloned(),
    };
    match choice {
        Some((name, wanted)) => golden(name, wanted),
        None => golden("drawn", drawn(host, rng)),
    }
}

#[cfg(test)]
#[path = "golden/tests.rs"]
mod tests;
