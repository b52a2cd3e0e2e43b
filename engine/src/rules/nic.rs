//! Rules of physical NICs.

use super::answers::{Answers, At};
use super::fleet::{Fleet, Odd, Told, odd};
use super::view::View;
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Info, Warning};
use model::{Component, Duplex, LinkState, ObservedNic, VmnicName};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "NIC-001",
        Warning,
        [
            "An uplink without link",
            "Redundancy already lost",
            "check the cable and the switch port",
            "J",
            "failover order, link of NICs",
        ],
        link_down,
    ),
    Rule::host(
        "NIC-002",
        Error,
        ["Half duplex", "Collisions; duplex mismatch", "negotiate on both ends", "KB-SPEED", "NICs"],
        half_duplex,
    ),
    Rule::host(
        "NIC-003",
        Warning,
        [
            "Speed and duplex are fixed",
            "Auto-negotiation recommended on both ends; mixing causes mismatch",
            "set `link: auto` on both ends",
            "KB-SPEED",
            "negotiation of NICs",
        ],
        fixed_speed,
    ),
    Rule::unread(
        "NIC-004",
        Warning,
        Kind::State,
        ["A link slower than the NIC", "Bad cable/port", "Fix", "VSPHERE-CHECK"],
        "supported speeds of NICs",
    ),
    Rule::group(
        "NIC-005",
        Warning,
        [
            "An unsupported driver, or different ones for one model",
            "Unsupported pairs cause drops/PSODs",
            "use one supported driver",
            "J",
            "NICs; drivers of the site",
        ],
        drivers,
    ),
    Rule::host(
        "NIC-006",
        Blocker,
        [
            "The only active uplink is switched off",
            "No path",
            "set `admin: up`",
            "J",
            "failover order, administrative state of NICs",
        ],
        only_active_off,
    )
    .between(),
    Rule::unread(
        "NIC-007",
        Warning,
        Kind::State,
        ["Error counters that grow", "Cabling/optics", "Check", "J"],
        "counters of NICs",
    ),
    Rule::host(
        "NIC-008",
        Info,
        [
            "A linked NIC in no switch",
            "Wasted or mis-cabled",
            "use it, or pull the cable",
            "J",
            "uplinks, link of NICs",
        ],
        spare_link,
    ),
    Rule::unread(
        "NIC-009",
        Warning,
        Kind::State,
        [
            "Virtual functions on an uplink",
            "VFs have no rate control in vSphere and can use the whole link; VMs lose vMotion/HA/DRS/snapshots",
            "Dedicate NIC",
            "SRIOV",
        ],
        "SR-IOV of NICs",
    ),
    Rule::unread(
        "NIC-010",
        Info,
        Kind::State,
        ["Offloads switched off", "CPU cost; default is on", "Re-enable or document", "TSO"],
        "offload settings of NICs",
    ),
    Rule::group(
        "NIC-011",
        Error,
        [
            "A NIC name in different slots across a group",
            "Template would cable the wrong ports",
            "map uplinks per host in the host documents",
            "J",
            "PCI addresses of NICs",
        ],
        other_slots,
    ),
];

fn at(nic: &VmnicName) -> At {
    At::new(Component::Vmnic, &["nics", nic.as_str()])
}

/// NICs that a port group may use, with what is known of them.
fn in_use<'a>(view: &View<'a>, answers: &mut Answers) -> Vec<(&'a VmnicName, &'a ObservedNic)> {
    let mut names = BTreeSet::new();
    for group in view.groups(answers) {
        if let Some(order) = group.order(answers) {
            names.extend(order.active.iter().chain(&order.standby));
        }
    }
    let nics = answers.need(&view.state.nics, "NICs");
    let known = |name: &'a VmnicName| nics.and_then(|nics| nics.get_key_value(name));
    names.into_iter().filter_map(known).collect()
}

fn link_down(view: &View<'_>, answers: &mut Answers) {
    for (name, nic) in in_use(view, answers) {
        if nic.link == LinkState::Down {
            answers.found(at(name), "down", format!("uplink `{name}` has no link"));
        }
    }
}

fn half_duplex(view: &View<'_>, answers: &mut Answers) {
    for (name, nic) in in_use(view, answers) {
        if nic.link == LinkState::Up && nic.duplex == Duplex::Half {
            answers.found(at(name), "half", format!("uplink `{name}` runs half duplex"));
        }
    }
}

fn fixed_speed(view: &View<'_>, answers: &mut Answers) {
    for (name, nic) in in_use(view, answers) {
        if answers.need(&nic.auto_negotiation, "negotiation of NICs") == Some(&false) {
            answers.found(at(name), "fixed", format!("uplink `{name}` does not negotiate its speed"));
        }
    }
}

fn drivers(fleet: &Fleet<'_>, answers: &mut Answers) {
    let allowed = &fleet.site.drivers;
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for (name, nic) in answers.need(&view.state.nics, "NICs").into_iter().flatten() {
            if nic.driver.is_empty() {
                answers.missing("drivers of NICs");
            } else if !allowed.is_empty() && !allowed.contains(&nic.driver) {
                let message =
                    format!("`{name}` has the driver `{}`, which this site does not support", nic.driver);
                answers.found_on(view.host, at(name), &nic.driver, message);
            } else if !nic.description.is_empty() {
                all.push(Told { key: &nic.description, value: &nic.driver, host: view.host, about: name });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (name, model, driver) = (told.about, told.key, told.value);
        let message = format!("`{name}` ({model}) has the driver `{driver}`; on `{on}` it is `{usual}`");
        answers.found_on(told.host, at(name), driver, message);
    }
}

fn only_active_off(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        let Some(order) = group.order(answers) else { continue };
        let ([only], true) = (order.active.as_slice(), order.standby.is_empty()) else { continue };
        if answers.want(view.is_used(group), "use of port groups") != Some(true) {
            continue;
        }
        let admin = answers.want(view.nic(only), "NICs").map(|nic| &nic.admin);
        let admin = admin.and_then(|admin| answers.need(admin, "administrative state of NICs"));
        if admin == Some(&LinkState::Down) {
            let message =
                format!("`{only}`, the only uplink of port group `{}`, is switched off", group.name);
            answers.found(at(only), group.name, message);
        }
    }
}

fn spare_link(view: &View<'_>, answers: &mut Answers) {
    let mut used: BTreeSet<&VmnicName> = BTreeSet::new();
    for switch in view.switches(answers) {
        used.extend(answers.need(&switch.state.uplinks, "uplinks of switches").into_iter().flatten());
    }
    let dvs = answers.need(&view.state.dvs, "distributed switches");
    used.extend(dvs.into_iter().flatten().flat_map(|dvs| &dvs.uplinks));
    if !view.is_whole(answers) {
        return;
    }
    for (name, nic) in answers.need(&view.state.nics, "NICs").into_iter().flatten() {
        if nic.link == LinkState::Up && !used.contains(name) {
            answers.found(at(name), "spare", format!("`{name}` has a link and is in no switch"));
        }
    }
}

fn other_slots(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        let model = (&view.state.facts.vendor, &view.state.facts.model);
        for (name, nic) in answers.need(&view.state.nics, "NICs").into_iter().flatten() {
            if nic.pci.is_empty() {
                answers.missing("PCI addresses of NICs");
            } else {
                all.push(Told { key: (model, name), value: &nic.pci, host: view.host, about: () });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let ((_, name), pci) = (told.key, told.value);
        let message = format!("`{name}` is at PCI address {pci}; on `{on}`, of the same model, at {usual}");
        answers.found_on(told.host, at(name), pci, message);
    }
}
