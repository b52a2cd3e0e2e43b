//! Rules of vMotion, vSAN, fault tolerance and of the networks of machines.

use super::answers::Answers;
use super::fleet::{Fleet, Odd, Told, odd};
use super::storage::{order_of, sharing};
use super::view::{Group, Traffic, View, Vmk};
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Info, Warning};
use model::{LoadBalancing, VmnicName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "VMO-001",
        Warning,
        [
            "vMotion over less than 1 Gbit/s",
            "250 Mb/s per concurrent migration is the minimum; 10/25 GbE advised",
            "use a faster NIC",
            "VMO-REQ, VMO-BP",
            "failover order, speed of NICs",
        ],
        slow_vmotion,
    ),
    Rule::host(
        "VMO-002",
        Error,
        [
            "vMotion over several NICs, not set up for it",
            "No gain; routed multi-NIC unsupported",
            "use one subnet, and another active uplink for each adapter with the rest standby",
            "YELLOW-VMO, 4SYS",
            "failover order, IPv4 and services of adapters",
        ],
        multi_vmotion,
    ),
    Rule::group(
        "VMO-003",
        Error,
        [
            "Hosts of a group with different port groups for machines",
            "VMotion matches labels on vSS",
            "use the same names on all hosts",
            "VMO-REQ",
            "port groups, adapters",
        ],
        unequal_labels,
    ),
    Rule::host(
        "VMO-004",
        Warning,
        [
            "A port group for machines without uplinks",
            "VMotion refused by default",
            "add an uplink, or waive it for an isolated network",
            "VMO-REQ",
            "uplinks, machines",
        ],
        machines_without_uplink,
    ),
    Rule::group(
        "VMO-005",
        Warning,
        [
            "vMotion on different netstacks in a group",
            "Part of the compatibility warning",
            "use one netstack in the group",
            "KB-VMO-MTU",
            "netstack and services of adapters",
        ],
        unequal_stack,
    ),
    Rule::host(
        "VSAN-001",
        Error,
        [
            "Two vSAN adapters in one subnet",
            "VSAN does not support it",
            "use different subnets",
            "VSAN-65",
            "IPv4 and services of adapters",
        ],
        vsan_subnet,
    ),
    Rule::host(
        "VSAN-002",
        Warning,
        [
            "vSAN by port id with several active uplinks",
            "Documented: port id = active/passive",
            "keep one uplink active",
            "VSAN-65",
            "failover policy, services of adapters",
        ],
        vsan_portid,
    ),
    Rule::host(
        "VSAN-003",
        Error,
        [
            "vSAN by IP hash without port channel",
            "Documented pairing",
            "use a static port channel with all uplinks active",
            "VSAN-65",
            "failover policy, services of adapters; cabling of the site",
        ],
        vsan_iphash,
    ),
    Rule::host(
        "VSAN-004",
        Warning,
        [
            "vSAN shares a 1 Gbit/s uplink",
            "1 Gb must be dedicated; 10 Gb may be shared",
            "give vSAN an uplink of its own, or 10 Gbit/s",
            "VSAN-VCAT",
            "uplinks, speed of NICs, services of adapters",
        ],
        vsan_slow,
    ),
    Rule::group(
        "VSAN-005",
        Blocker,
        [
            "vSAN adapters of several hosts change at once",
            "Partition",
            "set `max_parallel: 1` for this change",
            "J",
            "plan, rollout",
        ],
        vsan_at_once,
    )
    .planned(),
    Rule::host(
        "FT-001",
        Warning,
        [
            "Fault tolerance on a slow or shared network",
            "Latency; stream is unencrypted guest memory",
            "use 10 Gbit/s and a VLAN of its own",
            "FT-DOC",
            "uplinks, speed of NICs, services of adapters",
        ],
        slow_ft,
    ),
    Rule::unread(
        "DUMP-001",
        Warning,
        Kind::State,
        [
            "A core dump adapter that cannot send",
            "Dump collector does not work with EtherChannel; IPv4 only",
            "Other vmk",
            "DUMP-KB",
        ],
        "network core dump settings",
    ),
    Rule::unread(
        "DUMP-002",
        Info,
        Kind::State,
        ["Core dumps on a shared VLAN", "Core dumps travel unencrypted", "Own VLAN", "DUMP"],
        "network core dump settings",
    ),
];

/// Slowest useful link, in Mbit/s.
const GIGABIT: u32 = 1000;
/// The link that vMotion and fault tolerance want, in Mbit/s.
const TEN_GIGABIT: u32 = 10_000;

/// Linked active uplinks of a port group with their speed, in Mbit/s.
fn speeds<'a>(view: &View<'a>, group: &Group<'a>, answers: &mut Answers) -> Vec<(&'a VmnicName, u32)> {
    let order = group.order(answers);
    if answers.need(&view.state.nics, "NICs").is_none() {
        return Vec::new();
    }
    let active = order.into_iter().flat_map(|order| &order.active);
    let linked = active.filter_map(|nic| Some((nic, view.nic(nic)?.speed_mbps)));
    linked.filter(|(_, speed)| *speed > 0).collect()
}

fn slow_vmotion(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::Vmotion, answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        if let Some((nic, speed)) = speeds(view, group, answers).into_iter().find(|(_, s)| *s < TEN_GIGABIT) {
            let severity = if speed < GIGABIT { Warning } else { Info };
            let message = format!("`{}` carries vMotion over `{nic}` with {speed} Mbit/s", vmk.name);
            answers.found_as(severity, vmk.at(&["port_group"]), speed, message);
        }
    }
}

fn multi_vmotion(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.carriers(Traffic::Vmotion, answers);
    if vmks.len() < 2 {
        return;
    }
    let mut nics = BTreeMap::new();
    let mut network = None;
    for vmk in vmks {
        let order = order_of(view, vmk, answers);
        if let Some(nic) = order.and_then(|order| order.active.first())
            && let Some(other) = nics.insert(nic, vmk.name)
        {
            let message = format!("`{other}` and `{}` carry vMotion and both use `{nic}` first", vmk.name);
            answers.found(vmk.at(&["port_group"]), nic, message);
        }
        if order.is_some_and(|order| order.active.len() != 1) {
            let message = format!(
                "`{}` is one of several vMotion adapters without exactly one active uplink",
                vmk.name
            );
            answers.found(vmk.at(&["port_group"]), "several active", message);
        }
        let Some(own) = vmk.fixed(answers) else { continue };
        if *network.get_or_insert(own.network()) != own.network() {
            let message = format!("`{}` carries vMotion in another subnet than the first adapter", vmk.name);
            answers.found(vmk.at(&["ipv4"]), own.network(), message);
        }
    }
}

fn unequal_labels(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sets = Vec::new();
    for view in fleet.hosts() {
        if !view.is_whole(answers) || view.state.port_groups.read().is_none() {
            continue;
        }
        let groups = view.groups(answers).iter().filter(|group| !group.has_vmks());
        let labels: BTreeSet<&str> = groups.map(|group| group.name.as_str()).collect();
        for label in &labels {
            *counts.entry(label).or_default() += 1;
        }
        sets.push((view, labels));
    }
    let hosts = sets.len();
    for (view, labels) in &sets {
        for (label, count) in counts.iter().filter(|(label, _)| !labels.contains(*label)) {
            // The group has it when at least half of its hosts do; else it is the others that have one too many.
            if count * 2 >= hosts {
                let at = super::answers::At::new(model::Component::PortGroup, &["port_groups", label]);
                let message =
                    format!("port group `{label}` is on {count} hosts of the group and not on this one");
                answers.found_on(view.host, at, "missing", message);
            }
        }
    }
}

fn machines_without_uplink(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(uplinks) = answers.need(&switch.state.uplinks, "uplinks of switches") else { continue };
        for group in view.groups_of(switch).filter(|group| uplinks.is_empty() && !group.has_vmks()) {
            let message = format!(
                "port group `{}` for machines is on standard switch `{}`, which has no uplink",
                group.name, switch.name
            );
            answers.found(group.at(&["vswitch"]), switch.name, message);
        }
    }
}

fn unequal_stack(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for vmk in view.carriers(Traffic::Vmotion, answers) {
            all.push(Told { key: (), value: &vmk.state.netstack, host: view.host, about: vmk });
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (vmk, stack) = (told.about, told.value);
        let message =
            format!("`{}` carries vMotion on netstack `{stack}`; on `{on}` it is `{usual}`", vmk.name);
        answers.found_on(told.host, vmk.at(&["netstack"]), stack, message);
    }
}

fn vsan_subnet(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.carriers(Traffic::Vsan, answers);
    for (vmk, network) in sharing(&vmks, answers) {
        answers.found(
            vmk.at(&["ipv4"]),
            &network,
            format!("`{}` is one more vSAN adapter in {network}", vmk.name),
        );
    }
}

fn vsan_portid(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::Vsan, answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        let Some(policy) = group.teaming(answers) else { continue };
        let active = policy.uplinks.value().active.len();
        if *policy.load_balancing.value() == LoadBalancing::PortId && active > 1 {
            let message = format!("`{}` carries vSAN by port id over {active} active uplinks", vmk.name);
            answers.found(group.at(&["teaming", "uplinks"]), active, message);
        }
    }
}

fn vsan_iphash(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::Vsan, answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        let Some(policy) = group.teaming(answers) else { continue };
        if *policy.load_balancing.value() != LoadBalancing::IpHash {
            continue;
        }
        let order = policy.uplinks.value();
        let ports: Option<Vec<_>> = order.active.iter().map(|nic| view.port(nic)).collect();
        let Some(ports) = answers.want(ports, "cabling of pointsman.yaml") else { continue };
        if !order.standby.is_empty() || ports.iter().any(|port| port.lag.is_none()) {
            let message =
                format!("`{}` carries vSAN by IP hash, but not over an active port channel", vmk.name);
            answers.found(group.at(&["teaming", "load_balancing"]), "iphash", message);
        }
    }
}

/// Other adapters on the switch of one: what its uplinks are shared with.
fn is_shared(view: &View<'_>, group: &Group<'_>) -> bool {
    let switch = view.switch_of(group);
    switch.is_some_and(|switch| view.groups_of(switch).any(|other| other.name != group.name))
}

fn vsan_slow(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::Vsan, answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        let slow = speeds(view, group, answers).into_iter().find(|(_, speed)| *speed <= GIGABIT);
        if let Some((nic, speed)) = slow.filter(|_| is_shared(view, group)) {
            let message =
                format!("`{}` carries vSAN over `{nic}` with {speed} Mbit/s, which others use too", vmk.name);
            answers.found(vmk.at(&["port_group"]), speed, message);
        }
    }
}

fn vsan_at_once(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut touched = Vec::new();
    for delta in fleet.deltas() {
        for was in delta.before.carriers(Traffic::Vsan, answers) {
            let vlan = |view: &View<'_>, vmk: &Vmk<'_>| view.group_of(vmk)?.state.vlan.read().copied();
            let now = delta.after.vmk(was.name);
            let stays = now.is_some_and(|now| {
                now.carries(Traffic::Vsan) && vlan(delta.before, was) == vlan(delta.after, now)
            });
            if !stays {
                touched.push((delta.after.host, was));
            }
        }
    }
    let at_once = touched.len().min(fleet.max_parallel);
    if let (Some((_, vmk)), true) = (touched.get(1), at_once > 1) {
        let message = format!(
            "up to {at_once} hosts lose or move their vSAN adapter at once (`{}` and others): a partition",
            vmk.name
        );
        answers.found(fleet.at(), at_once, message);
    }
}

fn slow_ft(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::FaultTolerance, answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        if let Some((nic, speed)) = speeds(view, group, answers).into_iter().find(|(_, s)| *s < TEN_GIGABIT) {
            let message = format!("`{}` carries fault tolerance over `{nic}` with {speed} Mbit/s", vmk.name);
            answers.found(vmk.at(&["port_group"]), speed, message);
        }
        let Some(tag) = group.tag(answers) else { continue };
        for other in view.groups(answers).iter().filter(|other| other.name != group.name) {
            if other.tag(answers) == Some(tag) {
                let message =
                    format!("`{}` carries fault tolerance in VLAN {tag}, as `{}` does", vmk.name, other.name);
                answers.found(group.at(&["vlan"]), tag, message);
            }
        }
    }
}
