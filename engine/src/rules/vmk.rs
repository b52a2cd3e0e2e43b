//! Rules of VMkernel adapters: one traffic each, alive, and alone in its subnet.

use super::Rule;
use super::answers::Answers;
use super::fleet::Fleet;
use super::view::{Delta, Traffic, View, Vmk, role_of};
use model::Severity::{Blocker, Error, Info, Warning};
use model::{ObservedIpv4, ServiceTag, StorageProtocol};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "VMK-001",
        Error,
        [
            "Two adapters in one subnet of one netstack",
            "One routing table: one of them carries all; asymmetric, timeouts, host disconnects. Unsupported",
            "use separate subnets or netstacks",
            "KB-MULTI, DOC-VMK",
            "IPv4, netstack and services of adapters",
        ],
        shared_subnet,
    ),
    Rule::host(
        "VMK-002",
        Error,
        [
            "Management shares its adapter",
            "STIG finding; mgmt plane exposed to that segment",
            "give the other services an adapter of their own",
            "STIG8-198, SCG8",
            "services of adapters",
        ],
        management_not_alone,
    ),
    Rule::host(
        "VMK-003",
        Error,
        [
            "vMotion shares its adapter",
            "Memory contents in clear on shared path",
            "give the other services an adapter of their own",
            "STIG8-160",
            "services of adapters",
        ],
        vmotion_not_alone,
    ),
    Rule::host(
        "VMK-004",
        Error,
        [
            "Storage shares its adapter",
            "Storage isolation",
            "give the other services an adapter of their own",
            "STIG8-199",
            "services of adapters",
        ],
        storage_not_alone,
    ),
    Rule::host(
        "VMK-005",
        Warning,
        [
            "An adapter with several services",
            "'one traffic type per adapter'",
            "use one adapter for one service",
            "DOC-VMK",
            "services of adapters",
        ],
        many_services,
    ),
    Rule::host(
        "VMK-006",
        Blocker,
        [
            "No adapter with management and an address",
            "Host unmanageable",
            "keep one enabled adapter with the service `Management` and an address",
            "J",
            "services and IPv4 of adapters",
        ],
        no_management,
    ),
    Rule::host(
        "VMK-007",
        Warning,
        [
            "A vMotion service beside the vMotion netstack",
            "Default-stack ones are disabled for vMotion then",
            "drop the service from the default netstack",
            "DOC-VMK",
            "services and netstacks of adapters",
        ],
        vmotion_tag_beside_stack,
    ),
    Rule::host(
        "VMK-008",
        Warning,
        [
            "A provisioning service beside the provisioning netstack",
            "Same rule",
            "drop the service from the default netstack",
            "DOC-VMK",
            "services and netstacks of adapters",
        ],
        provisioning_tag_beside_stack,
    ),
    Rule::host(
        "VMK-009",
        Warning,
        [
            "Several adapters for fault tolerance",
            "Documented as one per host",
            "keep one",
            "DOC-VMK65",
            "services of adapters",
        ],
        two_fault_tolerance,
    ),
    Rule::host(
        "VMK-010",
        Warning,
        [
            "An adapter on a port group with machines",
            "Infrastructure and guests on one segment",
            "move the machines, or the adapter, to another port group",
            "STIG8-199, J",
            "machines, adapters",
        ],
        machines_beside,
    ),
    Rule::host(
        "VMK-011",
        Error,
        [
            "An adapter on a switch without uplinks",
            "Cannot reach anything",
            "add an uplink to the switch, or move the adapter",
            "J",
            "uplinks, adapters",
        ],
        no_uplinks,
    ),
    Rule::host(
        "VMK-012",
        Warning,
        [
            "Management, vMotion or storage by DHCP",
            "Address change = lost host/storage path",
            "use a fixed address, or waive it with a reservation",
            "J",
            "IPv4 and services of adapters",
        ],
        dhcp,
    ),
    Rule::host(
        "VMK-013",
        Warning,
        [
            "A service on a dead adapter",
            "Service advertised but dead",
            "enable the adapter and give it an address, or drop the service",
            "J",
            "services and IPv4 of adapters",
        ],
        dead_service,
    ),
    Rule::change(
        "VMK-014",
        Blocker,
        [
            "The removal of an adapter in use by storage",
            "Deletion fails (dump) or cuts storage/control",
            "take the storage off the adapter first",
            "DUMP, ISCSI-65",
            "adapters; storage roles of the site",
        ],
        storage_gone,
    ),
    Rule::change(
        "VMK-015",
        Warning,
        [
            "vmk0 leaves the NIC whose address it has",
            "NIC-resident LLDP agents keep using that MAC: CAM flapping, host drops from vCenter",
            "make vmk0 anew, or switch off the LLDP agent of the NIC",
            "KB-VMK0",
            "MAC addresses, uplinks",
        ],
        vmk0_off_its_nic,
    ),
    Rule::host(
        "VMK-016",
        Info,
        [
            "A gateway of its own where peers are near",
            "Not recommended unless L3 is required",
            "remove the gateway",
            "ISCSI-KB",
            "IPv4 of adapters; roles of the site",
        ],
        needless_gateway,
    ),
    Rule::group(
        "VMK-017",
        Warning,
        [
            "A host without the traffic that its group has",
            "Cannot be evacuated",
            "add the adapter",
            "VMO-REQ",
            "services of adapters",
        ],
        missing_role,
    ),
];

const SERVICES: &str = "services of adapters";

/// The tags of an adapter; noted when not known.
fn tags<'v>(vmk: &'v Vmk<'_>, answers: &mut Answers) -> Option<&'v BTreeSet<ServiceTag>> {
    answers.need(&vmk.state.services, SERVICES)
}

fn listed(tags: &BTreeSet<ServiceTag>) -> String {
    tags.iter().map(ServiceTag::as_str).collect::<Vec<_>>().join(",")
}

fn has(tags: &BTreeSet<ServiceTag>, tag: &str) -> bool {
    tags.iter().any(|own| own.as_str() == tag)
}

/// Whether an adapter may share its subnet: bound iSCSI, or vMotion over several NICs.
fn may_share(view: &View<'_>, a: &Vmk<'_>, b: &Vmk<'_>) -> bool {
    let bound = |vmk: &Vmk<'_>| {
        let role = vmk.address().and_then(|address| role_of(view.site, address));
        role.is_some_and(|(_, role)| role.port_binding && role.storage == Some(StorageProtocol::Iscsi))
    };
    (a.carries(Traffic::Vmotion) && b.carries(Traffic::Vmotion)) || (bound(a) && bound(b))
}

fn shared_subnet(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.vmks(answers);
    for (at, vmk) in vmks.iter().enumerate() {
        answers.need(&vmk.state.ipv4, "IPv4 of adapters");
        let Some(own) = vmk.address() else { continue };
        for other in vmks.iter().take(at) {
            let Some(beside) = other.address() else { continue };
            let one = own.contains(beside.address()) || beside.contains(own.address());
            // Storage has words of its own for this; vSAN too.
            let told = [Traffic::Iscsi, Traffic::Nfs, Traffic::Vsan];
            let is_told = told.iter().any(|traffic| vmk.carries(*traffic) && other.carries(*traffic));
            if one && !is_told && vmk.state.netstack == other.state.netstack && !may_share(view, vmk, other) {
                let network = own.network();
                let message =
                    format!("`{}` and `{}` are both in {network} on one netstack", other.name, vmk.name);
                answers.found(vmk.at(&["ipv4"]), network, message);
            }
        }
    }
}

/// An adapter with `tag` and others beside it.
fn not_alone(view: &View<'_>, answers: &mut Answers, tag: &str, also: &[&str]) {
    for vmk in view.vmks(answers) {
        let Some(tags) = tags(vmk, answers) else { continue };
        let others: BTreeSet<ServiceTag> =
            tags.iter().filter(|own| own.as_str() != tag && !also.contains(&own.as_str())).cloned().collect();
        if has(tags, tag) && !others.is_empty() {
            let others = listed(&others);
            let message = format!("`{}` carries {tag} together with {others}", vmk.name);
            answers.found(vmk.at(&["services"]), others, message);
        }
    }
}

fn management_not_alone(view: &View<'_>, answers: &mut Answers) {
    not_alone(view, answers, "Management", &[]);
}

fn vmotion_not_alone(view: &View<'_>, answers: &mut Answers) {
    // Together with management it is told there.
    not_alone(view, answers, "VMotion", &["Management"]);
}

fn storage_not_alone(view: &View<'_>, answers: &mut Answers) {
    not_alone(view, answers, "VSAN", &["Management", "VMotion"]);
    for vmk in view.vmks(answers) {
        let storage = [Traffic::Iscsi, Traffic::Nfs].into_iter().find(|traffic| vmk.carries(*traffic));
        let Some(tags) = tags(vmk, answers).filter(|tags| !tags.is_empty()) else { continue };
        if let Some(storage) = storage {
            let tags = listed(tags);
            let message = format!("`{}` carries {} together with {tags}", vmk.name, storage.as_str());
            answers.found(vmk.at(&["services"]), tags, message);
        }
    }
}

fn many_services(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(tags) = tags(vmk, answers).filter(|tags| tags.len() > 1) else { continue };
        let is_told = ["Management", "VMotion", "VSAN"].iter().any(|tag| has(tags, tag));
        // The tags of one service in two directions belong together.
        let is_pair = tags.iter().all(|tag| tag.as_str().starts_with("vSphereReplication"));
        if !is_told && !is_pair {
            let tags = listed(tags);
            answers.found(
                vmk.at(&["services"]),
                &tags,
                format!("`{}` carries several services: {tags}", vmk.name),
            );
        }
    }
}

fn no_management(view: &View<'_>, answers: &mut Answers) {
    if !view.is_whole(answers) {
        return;
    }
    for vmk in view.vmks(answers) {
        let (Some(tags), Some(_)) = (tags(vmk, answers), answers.need(&vmk.state.ipv4, "IPv4 of adapters"))
        else {
            return;
        };
        let waits = matches!(vmk.state.ipv4.read(), Some(ObservedIpv4::Dhcp { .. }));
        let has_ipv6 = vmk
            .state
            .ipv6
            .read()
            .is_none_or(|ipv6| ipv6.dhcp || ipv6.router_advertisements || !ipv6.addresses.is_empty());
        if vmk.state.enabled && has(tags, "Management") && (vmk.address().is_some() || waits || has_ipv6) {
            return;
        }
    }
    if view.state.vmkernels.read().is_some() {
        let message = "no enabled VMkernel adapter has the service Management and an address";
        answers.found(super::answers::At::host(), "none", message);
    }
}

/// A service in the default netstack although a netstack of its own is in use.
fn beside_stack(view: &View<'_>, answers: &mut Answers, stack: &str, tag: &str) {
    let vmks = view.vmks(answers);
    if !vmks.iter().any(|vmk| vmk.state.netstack.as_str() == stack) {
        return;
    }
    for vmk in vmks.iter().filter(|vmk| vmk.state.netstack.is_default()) {
        if tags(vmk, answers).is_some_and(|tags| has(tags, tag)) {
            let message =
                format!("`{}` has the service {tag}, which netstack `{stack}` takes over", vmk.name);
            answers.found(vmk.at(&["services"]), tag, message);
        }
    }
}

fn vmotion_tag_beside_stack(view: &View<'_>, answers: &mut Answers) {
    beside_stack(view, answers, "vmotion", "VMotion");
}

fn provisioning_tag_beside_stack(view: &View<'_>, answers: &mut Answers) {
    beside_stack(view, answers, "vSphereProvisioning", "vSphereProvisioning");
}

fn two_fault_tolerance(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::FaultTolerance, answers).into_iter().skip(1) {
        let message = format!("`{}` is one more adapter for fault tolerance logging", vmk.name);
        answers.found(vmk.at(&["services"]), "faultToleranceLogging", message);
    }
}

fn machines_beside(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers).iter().filter(|group| group.has_vmks()) {
        if answers.want(view.has_machines(group), "running machines") != Some(true) {
            continue;
        }
        for vmk in view.vmks_of(group) {
            let message = format!("`{}` is on port group `{}`, which machines use too", vmk.name, group.name);
            answers.found(vmk.at(&["port_group"]), group.name, message);
        }
    }
}

fn no_uplinks(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(uplinks) = answers.need(&switch.state.uplinks, "uplinks of switches") else { continue };
        if !uplinks.is_empty() {
            continue;
        }
        for vmk in view.vmks_on(switch) {
            let message =
                format!("`{}` is on standard switch `{}`, which has no uplink", vmk.name, switch.name);
            answers.found(vmk.at(&["port_group"]), switch.name, message);
        }
    }
}

fn dhcp(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(traffic) = answers.want(vmk.traffic.as_ref(), SERVICES) else { continue };
        let vital =
            traffic.iter().find(|t| t.is_storage() || matches!(t, Traffic::Management | Traffic::Vmotion));
        let ipv4 = answers.need(&vmk.state.ipv4, "IPv4 of adapters");
        if let (Some(vital), Some(ObservedIpv4::Dhcp { .. })) = (vital, ipv4) {
            let message = format!("`{}` carries {} and has its address by DHCP", vmk.name, vital.as_str());
            answers.found(vmk.at(&["ipv4"]), "dhcp", message);
        }
    }
}

fn dead_service(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(tags) = tags(vmk, answers).filter(|tags| !tags.is_empty()) else { continue };
        let no_ipv4 = matches!(vmk.state.ipv4.read(), Some(ObservedIpv4::None));
        let no_ipv6 = vmk
            .state
            .ipv6
            .read()
            .is_some_and(|ipv6| !ipv6.dhcp && !ipv6.router_advertisements && ipv6.addresses.is_empty());
        let reason = match (vmk.state.enabled, no_ipv4 && no_ipv6) {
            (false, _) => "is disabled",
            (true, true) => "has no address",
            (true, false) => continue,
        };
        let message = format!("`{}` has the service {} and {reason}", vmk.name, listed(tags));
        let field = if vmk.state.enabled { "ipv4" } else { "enabled" };
        answers.found(vmk.at(&[field]), reason, message);
    }
}

fn storage_gone(delta: &Delta<'_>, answers: &mut Answers) {
    for traffic in [Traffic::Iscsi, Traffic::Nfs] {
        for was in delta.before.carriers(traffic, answers) {
            let stays = delta
                .after
                .vmk(was.name)
                .is_some_and(|now| now.carries(traffic) && now.state.attachment == was.state.attachment);
            if !stays {
                let message = format!("`{}` carries {} and is removed or moved", was.name, traffic.as_str());
                answers.found(was.at(&[]), traffic.as_str(), message);
            }
        }
    }
}

fn vmk0_off_its_nic(delta: &Delta<'_>, answers: &mut Answers) {
    let was = delta.before.vmks(answers).iter().find(|vmk| vmk.name.number() == 0);
    let Some((was, now)) = was.and_then(|was| Some((was, delta.after.vmk(was.name)?))) else { return };
    let Some(mac) = answers.need(&now.state.mac, "MAC addresses of adapters") else { return };
    let nics = delta.before.state.nics.read().into_iter().flatten();
    let Some((nic, _)) = { nics }.find(|(_, nic)| nic.mac.read() == Some(mac)) else { return };
    let carries = |view: &View<'_>, vmk: &Vmk<'_>| {
        let switch = view.group_of(vmk).and_then(|group| view.switch_of(group))?;
        Some(switch.state.uplinks.read()?.contains(nic))
    };
    if carries(delta.before, was) == Some(true) && carries(delta.after, now) == Some(false) {
        let message = format!("`vmk0` has the MAC address of `{nic}` and leaves the switch of that NIC");
        answers.found(now.at(&["port_group"]), nic, message);
    }
}

fn needless_gateway(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(ObservedIpv4::Static { address, gateway: Some(gateway) }) =
            answers.need(&vmk.state.ipv4, "IPv4 of adapters")
        else {
            continue;
        };
        let role = answers.want(role_of(view.site, *address), "the role of the adapter in pointsman.yaml");
        if let Some((role, _)) = role {
            let message =
                format!("`{}` has the gateway {gateway} of its own; role `{role}` is on its link", vmk.name);
            answers.found(vmk.at(&["ipv4"]), gateway, message);
        }
    }
}

fn missing_role(fleet: &Fleet<'_>, answers: &mut Answers) {
    for traffic in [Traffic::Vmotion, Traffic::Vsan, Traffic::FaultTolerance, Traffic::Iscsi, Traffic::Nfs] {
        let mut with = 0;
        let mut without = Vec::new();
        for view in fleet.hosts() {
            let vmks = view.vmks(answers);
            let unknown =
                view.state.vmkernels.read().is_none() || vmks.iter().any(|vmk| vmk.traffic.is_none());
            if !view.is_whole(answers) || unknown {
                continue;
            }
            match view.carriers(traffic, answers).len() {
                0 => without.push(view.host),
                _ => with += 1,
            }
        }
        // The group has it when most of its hosts do.
        for host in without.iter().filter(|_| with > without.len()) {
            let message = format!(
                "no adapter carries {}, which {with} other hosts of the group have",
                traffic.as_str()
            );
            answers.found_on(host, super::answers::At::host(), traffic.as_str(), message);
        }
    }
}
