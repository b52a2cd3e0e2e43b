//! Rules of shaping, names and numbers.

use super::answers::Answers;
use super::fleet::{Fleet, Odd, Told, odd};
use super::pattern;
use super::structure::shapings;
use super::view::{Traffic, View};
use super::{Kind, Rule};
use model::Severity::{Error, Info, Warning};
use model::{ShapingPolicy, VmnicName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "SHP-001",
        Error,
        [
            "Shaping on infrastructure traffic",
            "Throttles infrastructure",
            "switch shaping off",
            "VMO-REQ, J",
            "shaping, services of adapters",
        ],
        throttled,
    ),
    Rule::unread(
        "SHP-002",
        Info,
        Kind::State,
        [
            "Inbound shaping on a standard switch",
            "VSS shapes outbound only; vDS both ways",
            "VDS/NIOC",
            "DOC-SHAPE",
        ],
        "claims of the RFC",
    ),
    Rule::host(
        "SHP-003",
        Warning,
        [
            "A burst too small to be useful",
            "Burst too small to be useful",
            "raise `burst_kib`",
            "J",
            "shaping",
        ],
        small_burst,
    ),
    Rule::host(
        "SHP-004",
        Info,
        [
            "A peak above the speed of the uplinks",
            "No effect",
            "lower `peak_kbps`",
            "J",
            "shaping, speed of NICs",
        ],
        peak_above_link,
    ),
    Rule::host(
        "NAM-001",
        Warning,
        [
            "A name outside the site's patterns",
            "Fleet-wide selection by label",
            "rename it, or add a pattern to `naming`",
            "J",
            "names; naming of the site",
        ],
        name_pattern,
    ),
    Rule::group(
        "NAM-002",
        Warning,
        [
            "Names that differ only in case or blanks",
            "Label matching is exact",
            "write the name the same everywhere",
            "VMO-REQ, J",
            "names of port groups",
        ],
        near_names,
    ),
    Rule::host(
        "NAM-003",
        Warning,
        [
            "The default VM Network on the switch of management",
            "VMs land on mgmt uplinks/VLAN 0 by default",
            "remove it, or move it to another switch",
            "STIG8-198, J",
            "port groups, services of adapters",
        ],
        default_vm_network,
    ),
    Rule::unread(
        "NAM-004",
        Info,
        Kind::State,
        ["A stale port group", "Stale", "Prune", "J"],
        "age of port groups",
    ),
    Rule::host(
        "LIM-001",
        Error,
        [
            "More objects than the site allows",
            "Hard limits; keep the numbers in a data file per version",
            "remove some, or raise `maxima`",
            "MAXIMA",
            "switches, port groups; maxima of the site",
        ],
        too_many,
    ),
    Rule::group(
        "LIM-002",
        Warning,
        [
            "A host built differently from its group",
            "Drift by design",
            "build it like the others, or declare an override",
            "J",
            "switches",
        ],
        other_switches,
    ),
    Rule::unread(
        "TIME-001",
        Warning,
        Kind::State,
        ["No source of time", "MTLS and journals need time", "Configure", "STIG8-124, SCG8 (P0)"],
        "time settings of the host",
    ),
];

/// Least average for management, in kbit/s.
const MANAGEMENT_KBPS_MIN: u32 = 10_000;
/// Least average for one concurrent migration, in kbit/s.
const VMOTION_KBPS_MIN: u32 = 250_000;
/// The port group that every new host has.
const DEFAULT_VM_NETWORK: &str = "VM Network";

fn throttled(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        answers.want(vmk.traffic.as_ref(), "services of adapters");
        let Some(group) = view.group_of(vmk) else { continue };
        let shaping =
            answers.need(&group.state.shaping, "shaping of port groups").map(|shaping| *shaping.value());
        let Some(ShapingPolicy::On(rate)) = shaping else { continue };
        let limit = |traffic: &&Traffic| match traffic {
            Traffic::Management => Some(MANAGEMENT_KBPS_MIN),
            Traffic::Vmotion => Some(VMOTION_KBPS_MIN),
            storage if storage.is_storage() => Some(u32::MAX),
            _ => None,
        };
        let slow =
            vmk.traffic.iter().flatten().find(|t| limit(t).is_some_and(|least| rate.average_kbps < least));
        if let Some(traffic) = slow {
            let message = format!(
                "port group `{}` shapes {} of `{}` to {} kbit/s",
                group.name,
                traffic.as_str(),
                vmk.name,
                rate.average_kbps
            );
            answers.found(group.at(&["shaping"]), rate.average_kbps, message);
        }
    }
}

fn small_burst(view: &View<'_>, answers: &mut Answers) {
    for (at, owner, policy) in shapings(view, answers) {
        let ShapingPolicy::On(rate) = policy else { continue };
        // A hundredth of a second at peak; the burst is in units of 1024 bits.
        let burst_kbit = u64::from(rate.burst_kib) * 1024 / 1000;
        if burst_kbit == 0 || burst_kbit < u64::from(rate.peak_kbps) / 100 {
            let message =
                format!("{owner} shapes with a burst of {} Kibit, too small for its peak", rate.burst_kib);
            answers.found(at, rate.burst_kib, message);
        }
    }
}

fn peak_above_link(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        let shaping =
            answers.need(&group.state.shaping, "shaping of port groups").map(|shaping| *shaping.value());
        let (Some(ShapingPolicy::On(rate)), Some(order)) = (shaping, group.order(answers)) else { continue };
        let speed = |nic: &VmnicName| view.nic(nic).map(|nic| nic.speed_mbps);
        let speeds: Option<Vec<u32>> = order.active.iter().map(speed).collect();
        let fastest = answers.want(speeds, "speed of NICs").and_then(|speeds| speeds.into_iter().max());
        if let Some(fastest) = fastest.filter(|fastest| *fastest > 0 && rate.peak_kbps / 1000 > *fastest) {
            let message = format!(
                "port group `{}` shapes to a peak of {} kbit/s, above its uplinks of {fastest} Mbit/s",
                group.name, rate.peak_kbps
            );
            answers.found(group.at(&["shaping"]), rate.peak_kbps, message);
        }
    }
}

fn name_pattern(view: &View<'_>, answers: &mut Answers) {
    let Some(naming) = answers.want(view.site.naming.as_ref(), "naming of pointsman.yaml") else { return };
    for switch in view.switches(answers) {
        if !naming.vswitches.is_empty() && !pattern::any(&naming.vswitches, switch.name.as_str()) {
            let message =
                format!("the name of standard switch `{}` matches no pattern of the site", switch.name);
            answers.found(switch.at(&[]), switch.name, message);
        }
    }
    for group in view.groups(answers) {
        if !naming.port_groups.is_empty() && !pattern::any(&naming.port_groups, group.name.as_str()) {
            let message = format!("the name of port group `{}` matches no pattern of the site", group.name);
            answers.found(group.at(&[]), group.name, message);
        }
    }
}

fn near_names(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for group in view.groups(answers) {
            let letters = group.name.as_str().chars().filter(|letter| !letter.is_whitespace());
            let key: String = letters.flat_map(char::to_lowercase).collect();
            all.push(Told { key, value: group.name, host: view.host, about: group });
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let message = format!("port group `{}` is `{usual}` on `{on}`", told.value);
        answers.found_on(told.host, told.about.at(&[]), told.value, message);
    }
}

fn default_vm_network(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.carriers(Traffic::Management, answers);
    let switches: BTreeSet<_> =
        vmks.iter().filter_map(|vmk| view.group_of(vmk)).map(|group| &group.state.vswitch).collect();
    for group in view.groups(answers) {
        if group.name.as_str() == DEFAULT_VM_NETWORK && switches.contains(&group.state.vswitch) {
            let message =
                format!("`{}` is on `{}`, the switch of management", group.name, group.state.vswitch);
            answers.found(group.at(&[]), DEFAULT_VM_NETWORK, message);
        }
    }
}

fn too_many(view: &View<'_>, answers: &mut Answers) {
    let Some(maxima) = answers.want(view.site.maxima.as_ref(), "maxima of pointsman.yaml") else { return };
    let above = |count: usize, most: Option<u32>| most.is_some_and(|most| count > most as usize);
    let switches = view.switches(answers);
    if above(switches.len(), maxima.vswitches) {
        let message = format!("the host has {} standard switches, more than the site allows", switches.len());
        answers.found(super::answers::At::host(), switches.len(), message);
    }
    for switch in switches {
        let count = view.groups_of(switch).count();
        if above(count, maxima.port_groups) {
            let message = format!(
                "standard switch `{}` has {count} port groups, more than the site allows",
                switch.name
            );
            answers.found(switch.at(&[]), count, message);
        }
    }
}

fn other_switches(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut shapes: BTreeMap<Vec<(&str, usize)>, Vec<&View<'_>>> = BTreeMap::new();
    for view in fleet.hosts() {
        if !view.is_whole(answers) || view.state.vswitches.read().is_none() {
            continue;
        }
        let switches = view.switches(answers).iter();
        let shape: Option<Vec<(&str, usize)>> =
            switches.map(|switch| Some((switch.name.as_str(), switch.state.uplinks.read()?.len()))).collect();
        if let Some(shape) = answers.want(shape, "uplinks of switches") {
            shapes.entry(shape).or_default().push(view);
        }
    }
    let most = shapes.values().map(Vec::len).max().unwrap_or(0);
    let Some(usual) = shapes.iter().find(|(_, hosts)| hosts.len() == most).map(|(shape, _)| shape.clone())
    else {
        return;
    };
    for (shape, hosts) in shapes.iter().filter(|(shape, hosts)| **shape != usual && hosts.len() < most) {
        let words: Vec<String> =
            shape.iter().map(|(name, uplinks)| format!("{name} ({uplinks} uplinks)")).collect();
        let words = words.join(", ");
        for view in hosts {
            let message = format!("the host has other switches than its group: {words}");
            answers.found_on(view.host, super::answers::At::host(), &words, message);
        }
    }
}
