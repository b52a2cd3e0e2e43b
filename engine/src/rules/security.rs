//! Rules of security policies, and of segments that must not meet.

use super::answers::{Answers, At};
use super::view::{Group, Traffic, View, Vmk};
use super::{Kind, Rule};
use model::Severity::{Error, Info, Warning};
use model::{CdpStatus, InheritedField, ObservedPortGroupSecurity, SecurityPolicy, Vlan};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "SEC-001",
        Error,
        [
            "Promiscuous mode allowed",
            "Every VM on the port group can read all its frames",
            "set `allow_promiscuous: false`; give sensors a port group of their own with a waiver",
            "STIG8-218, SCG8, CIS7",
            "security policies",
        ],
        promiscuous,
    ),
    Rule::host(
        "SEC-002",
        Error,
        [
            "MAC address changes allowed",
            "Guest can take an address that is not its own (STIG rates this one HIGH)",
            "set `allow_mac_change: false`; waive it for load balancers and licences bound to a MAC address",
            "STIG8-217, SCG8",
            "security policies",
        ],
        mac_change,
    ),
    Rule::host(
        "SEC-003",
        Error,
        [
            "Forged transmits allowed",
            "Source-MAC impersonation",
            "set `allow_forged_transmits: false`; give clusters, nested hosts and appliances a port group of their own with a waiver",
            "STIG8-216, SCG8",
            "security policies",
        ],
        forged,
    ),
    Rule::host(
        "SEC-004",
        Error,
        [
            "A port group weaker than its switch",
            "Override silently defeats the switch baseline; STIG treats an override as a finding",
            "write `inherit`",
            "STIG8-216..218",
            "security policies",
        ],
        weaker_override,
    ),
    Rule::host(
        "SEC-005",
        Info,
        [
            "A port group that overrides security with the same value",
            "Dead override hides later baseline changes",
            "write `inherit`",
            "STIG8-216, J",
            "security policies",
        ],
        dead_override,
    ),
    Rule::unread(
        "SEC-006",
        Warning,
        Kind::State,
        [
            "Promiscuous mode on a team without the reverse path check",
            "Duplicate broadcast/multicast copies to the promiscuous port",
            "Set 1",
            "SCG91",
        ],
        "advanced option Net.ReversePathFwdCheckPromisc",
    ),
    Rule::unread(
        "SEC-007",
        Warning,
        Kind::State,
        [
            "Guest BPDUs not blocked",
            "A guest BPDU on PortFast+BPDU-guard ports can err-disable every uplink in turn",
            "Set 1",
            "STIG8-215, SCG8",
        ],
        "advanced option Net.BlockGuestBPDU",
    ),
    Rule::unread(
        "SEC-008",
        Warning,
        Kind::State,
        ["An open dvFilter API", "Opens the dvFilter API to a VM", "Clear", "STIG8-219, SCG8"],
        "advanced option Net.DVFilterBindIpAddress",
    ),
    Rule::unread(
        "SEC-009",
        Error,
        Kind::State,
        [
            "A firewall that is off or lets pass by default",
            "Default-deny baseline",
            "Enable, default drop",
            "STIG8-214",
        ],
        "firewall of the host",
    ),
    Rule::unread(
        "SEC-010",
        Warning,
        Kind::State,
        [
            "A management service open to all addresses",
            "Reduces reach of a compromised segment (P0 in SCG 9)",
            "Restrict to mgmt subnets incl. coordinator",
            "STIG8-239, SCG8",
        ],
        "firewall of the host",
    ),
    Rule::host(
        "SEC-011",
        Warning,
        [
            "CDP advertises",
            "Discloses names, IPs, versions in clear; listen is enough for our topology discovery",
            "set `cdp: listen`",
            "STIG-VC-299 (vDS), J for vSS",
            "CDP mode of switches",
        ],
        cdp_talks,
    ),
    Rule::host(
        "SEC-012",
        Error,
        [
            "An uplink that is a virtual NIC of the management controller",
            "Backdoor path from the management controller",
            "take the NIC off the switch",
            "STIG8-250, SCG8",
            "uplinks, drivers of NICs",
        ],
        usb_uplink,
    ),
    Rule::host(
        "SEC-013",
        Error,
        [
            "Machines in a VLAN of the infrastructure",
            "VMs can observe or reach infrastructure traffic",
            "give machines another VLAN",
            "STIG8-160/198/199",
            "VLAN of port groups, services of adapters",
        ],
        machines_in_infrastructure,
    ),
    Rule::host(
        "SEC-014",
        Error,
        [
            "Management, vMotion and storage share a VLAN",
            "Each must be dedicated and isolated",
            "give each its own VLAN",
            "STIG8-160/198/199",
            "VLAN of port groups, services of adapters",
        ],
        shared_segments,
    ),
];

/// Starts of names and drivers of NICs that lead to the management controller of the hardware.
const CONTROLLER_NICS: [&str; 2] = ["vusb", "cdc_"];

/// One field of a security policy, of a switch and of a port group.
struct Field {
    name: &'static str,
    words: &'static str,
    of_switch: fn(&SecurityPolicy) -> bool,
    of_group: fn(&ObservedPortGroupSecurity) -> &InheritedField<bool>,
}

const PROMISCUOUS: Field = Field {
    name: "allow_promiscuous",
    words: "promiscuous mode",
    of_switch: |policy| policy.allow_promiscuous,
    of_group: |policy| &policy.allow_promiscuous,
};
const MAC_CHANGE: Field = Field {
    name: "allow_mac_change",
    words: "MAC address changes",
    of_switch: |policy| policy.allow_mac_change,
    of_group: |policy| &policy.allow_mac_change,
};
const FORGED: Field = Field {
    name: "allow_forged_transmits",
    words: "forged transmits",
    of_switch: |policy| policy.allow_forged_transmits,
    of_group: |policy| &policy.allow_forged_transmits,
};

/// Told where it is set: at the switch for all that inherit, at a port group with its own value.
fn allowed(view: &View<'_>, answers: &mut Answers, field: &Field) {
    for switch in view.switches(answers) {
        let policy = answers.need(&switch.state.security, "security policy of switches");
        if policy.is_some_and(field.of_switch) {
            let message = format!("standard switch `{}` allows {}", switch.name, field.words);
            answers.found(switch.at(&["security", field.name]), true, message);
        }
    }
    for group in view.groups(answers) {
        let Some(policy) = answers.need(&group.state.security, "security policy of port groups") else {
            continue;
        };
        if (field.of_group)(policy).own() == Some(&true) {
            let message = format!("port group `{}` allows {}", group.name, field.words);
            answers.found(group.at(&["security", field.name]), true, message);
        }
    }
}

fn promiscuous(view: &View<'_>, answers: &mut Answers) {
    allowed(view, answers, &PROMISCUOUS);
}

fn mac_change(view: &View<'_>, answers: &mut Answers) {
    allowed(view, answers, &MAC_CHANGE);
}

fn forged(view: &View<'_>, answers: &mut Answers) {
    allowed(view, answers, &FORGED);
}

/// Every own value of a port group beside that of its switch.
fn overrides(view: &View<'_>, answers: &mut Answers) -> Vec<(At, String, bool, bool, &'static str)> {
    let mut all = Vec::new();
    for group in view.groups(answers) {
        let Some(policy) = answers.need(&group.state.security, "security policy of port groups") else {
            continue;
        };
        let above = view.switch_of(group).and_then(|switch| switch.state.security.read());
        let Some(above) = answers.want(above, "security policy of switches") else { continue };
        for field in [PROMISCUOUS, MAC_CHANGE, FORGED] {
            if let Some(own) = (field.of_group)(policy).own() {
                let at = group.at(&["security", field.name]);
                all.push((at, group.name.to_string(), *own, (field.of_switch)(above), field.words));
            }
        }
    }
    all
}

fn weaker_override(view: &View<'_>, answers: &mut Answers) {
    for (at, group, own, above, words) in overrides(view, answers) {
        if own && !above {
            answers.found(at, own, format!("port group `{group}` allows {words}, its switch does not"));
        }
    }
}

fn dead_override(view: &View<'_>, answers: &mut Answers) {
    for (at, group, own, above, words) in overrides(view, answers) {
        if own == above {
            let message = format!("port group `{group}` states for {words} what its switch says anyway");
            answers.found(at, own, message);
        }
    }
}

fn cdp_talks(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let mode = answers.need(&switch.state.cdp, "CDP mode of switches");
        if let Some(mode @ (CdpStatus::Advertise | CdpStatus::Both)) = mode {
            let message = format!("standard switch `{}` advertises itself by CDP", switch.name);
            answers.found(switch.at(&["cdp"]), mode.as_str(), message);
        }
    }
}

fn usb_uplink(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        for nic in switch.uplinks(answers) {
            let driver = view.nic(nic).map(|nic| nic.driver.as_str()).unwrap_or_default();
            let is_controller = |start: &str| nic.as_str().starts_with(start) || driver.starts_with(start);
            if CONTROLLER_NICS.iter().any(|start| is_controller(start)) {
                let message = format!(
                    "`{nic}` on standard switch `{}` leads to the management controller of the hardware",
                    switch.name
                );
                answers.found(switch.at(&["uplinks"]), nic, message);
            }
        }
    }
}

/// Traffic that machines and other infrastructure must not share a segment with.
fn segment(vmk: &Vmk<'_>) -> Option<Traffic> {
    let rank = |traffic: &&Traffic| **traffic != Traffic::Other;
    vmk.traffic.iter().flatten().find(rank).copied()
}

fn machines_in_infrastructure(view: &View<'_>, answers: &mut Answers) {
    let mut infrastructure = Vec::new();
    for vmk in view.vmks(answers) {
        answers.want(vmk.traffic.as_ref(), "services of adapters");
        let (Some(traffic), Some(group)) = (segment(vmk), view.group_of(vmk)) else { continue };
        if let Some(tag) = group.tag(answers) {
            infrastructure.push((tag, traffic, vmk.name));
        }
    }
    for group in view.groups(answers).iter().filter(|group| !group.has_vmks()) {
        let Some(tag) = group.tag(answers) else { continue };
        if let Some((_, traffic, vmk)) = infrastructure.iter().find(|(vlan, ..)| *vlan == tag) {
            let message = format!(
                "port group `{}` is in VLAN {tag}, that of {} on `{vmk}`",
                group.name,
                traffic.as_str()
            );
            answers.found(group.at(&["vlan"]), tag, message);
        }
    }
}

/// Storage of any kind counts as one.
fn segment_class(traffic: Traffic) -> Option<&'static str> {
    match traffic {
        Traffic::Management => Some("management"),
        Traffic::Vmotion => Some("vMotion"),
        storage if storage.is_storage() => Some("storage"),
        _ => None,
    }
}

/// Whether two port groups are one segment: the same tag, or no tag on the same switch.
fn is_one_segment(a: &Group<'_>, b: &Group<'_>, answers: &mut Answers) -> bool {
    match (a.vlan(answers), b.vlan(answers)) {
        (Some(Vlan::Untagged), Some(Vlan::Untagged)) => a.state.vswitch == b.state.vswitch,
        (Some(Vlan::Tagged(a)), Some(Vlan::Tagged(b))) => a == b,
        _ => false,
    }
}

fn shared_segments(view: &View<'_>, answers: &mut Answers) {
    let vmks = view.vmks(answers);
    for (at, vmk) in vmks.iter().enumerate() {
        answers.want(vmk.traffic.as_ref(), "services of adapters");
        let (Some(class), Some(group)) = (segment(vmk).and_then(segment_class), view.group_of(vmk)) else {
            continue;
        };
        for other in vmks.iter().take(at) {
            let (Some(with), Some(beside)) = (segment(other).and_then(segment_class), view.group_of(other))
            else {
                continue;
            };
            if class != with && is_one_segment(group, beside, answers) {
                let vlan = group.vlan(answers).map(|vlan| vlan.to_string()).unwrap_or_default();
                let message = format!(
                    "`{}` ({class}) on port group `{}` shares VLAN {vlan} with `{}` ({with})",
                    vmk.name, group.name, other.name
                );
                answers.found(group.at(&["vlan"]), vlan, message);
            }
        }
    }
}
