//! Rules of VLANs: tags that reach nobody, everybody, or the wrong ones.

use super::answers::Answers;
use super::fleet::{Fleet, Odd, Told, odd};
use super::view::{Group, View};
use super::{Kind, Rule};
use model::Severity::{Error, Info, Warning};
use model::Vlan;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "VLAN-001",
        Error,
        [
            "A port group that passes all VLANs to guests",
            "Guest tagging: VM reaches any trunked VLAN or breaks",
            "name one VLAN; waive it for firewalls that need every tag",
            "STIG8-220, SCG8, CIS7",
            "VLAN of port groups",
        ],
        guest_tagging,
    ),
    Rule::host(
        "VLAN-002",
        Error,
        [
            "A VMkernel adapter on a port group with guest tagging",
            "VGT leaves tagging to a guest driver; the vmk then talks on the native VLAN",
            "name one VLAN",
            "DOC-VLAN, J",
            "VLAN of port groups",
        ],
        vmk_on_trunk,
    ),
    Rule::host(
        "VLAN-003",
        Error,
        [
            "A port group tags the native VLAN",
            "ESXi tags it, the switch expects it untagged: traffic is lost",
            "use VLAN 0, or another VLAN",
            "STIG7-063, STIG-VC-272",
            "VLAN of port groups; cabling or vlans.native of the site",
        ],
        native_tagged,
    ),
    Rule::elsewhere(
        "VLAN-004",
        Error,
        Kind::State,
        [
            "A VLAN the site reserves",
            "Switch drops or internally uses it",
            "Other id",
            "STIG7-065, STIG-VC-274",
            "documents; vlans.reserved of the site",
        ],
        "the resolver, as VLAN-004",
    ),
    Rule::host(
        "VLAN-005",
        Warning,
        [
            "VLAN 1 in use",
            "VLAN 1 is the usual native VLAN",
            "use another VLAN",
            "DOC-SEC-VLAN",
            "VLAN of port groups",
        ],
        vlan_one,
    ),
    Rule::host(
        "VLAN-006",
        Error,
        [
            "A VLAN that not every uplink carries",
            "Works until failover, then black-holes",
            "trunk the VLAN first, or take the uplink out of the order",
            "KB-VLAN, STIG6-068",
            "VLAN and failover order of port groups; cabling or vlans.trunked of the site",
        ],
        not_trunked,
    ),
    Rule::host(
        "VLAN-007",
        Warning,
        [
            "Tagged and untagged port groups on one switch",
            "EST and VST mixed: untagged traffic lands in the native VLAN",
            "tag every port group of the switch",
            "DOC-VLAN, J",
            "VLAN of port groups",
        ],
        mixed_tagging,
    ),
    Rule::group(
        "VLAN-008",
        Error,
        [
            "One port group name with different VLANs in a group",
            "Label is what vMotion matches: VM lands in the wrong network",
            "use one VLAN for one name",
            "DOC-VMOTION",
            "VLAN of port groups",
        ],
        label_with_two_vlans,
    ),
    Rule::group(
        "VLAN-009",
        Info,
        [
            "One VLAN under different names in a group",
            "Naming drift; breaks vMotion matching",
            "use one name for one VLAN",
            "DOC-VMOTION, J",
            "VLAN of port groups",
        ],
        vlan_with_two_labels,
    ),
    Rule::host(
        "VLAN-010",
        Warning,
        [
            "A VLAN outside the registry",
            "Undocumented VLANs",
            "register the VLAN in `vlans.registered`, or use a registered one",
            "STIG5-VMNET-5",
            "VLAN of port groups; vlans.registered of the site",
        ],
        unregistered,
    ),
    Rule::group(
        "VLAN-011",
        Info,
        [
            "A VLAN that is trunked to hosts and used by none",
            "Prune trunks",
            "take the VLAN off the trunks",
            "STIG6-068",
            "VLAN of port groups; vlans.registered and vlans.trunked of the site",
        ],
        unused_trunk,
    ),
];

fn guest_tagging(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        if group.vlan(answers) == Some(Vlan::Trunk) {
            let message = format!("port group `{}` passes every VLAN to its guests (4095)", group.name);
            answers.found(group.at(&["vlan"]), 4095, message);
        }
    }
}

fn vmk_on_trunk(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        let Some(group) = view.group_of(vmk) else { continue };
        if group.vlan(answers) == Some(Vlan::Trunk) {
            let message =
                format!("`{}` is on port group `{}`, which leaves tags to guests", vmk.name, group.name);
            answers.found(vmk.at(&["port_group"]), group.name, message);
        }
    }
}

/// What a look at each uplink of a port group says: the first that has something against its tag.
fn on_uplinks(
    view: &View<'_>,
    answers: &mut Answers,
    mut against: impl FnMut(&View<'_>, &model::VmnicName, u16, &mut Answers) -> Option<String>,
) {
    for group in view.groups(answers) {
        let (Some(tag), Some(order)) = (group.tag(answers), group.order(answers)) else { continue };
        let mut nics = order.active.iter().chain(&order.standby);
        if let Some(message) = nics.find_map(|nic| against(view, nic, tag, answers)) {
            let message = format!("port group `{}` uses VLAN {tag}, {message}", group.name);
            answers.found(group.at(&["vlan"]), tag, message);
        }
    }
}

fn native_tagged(view: &View<'_>, answers: &mut Answers) {
    on_uplinks(view, answers, |view, nic, tag, answers| {
        let own = view.port(nic).and_then(|port| port.native);
        let native = own.or_else(|| view.site.vlans.as_ref().and_then(|vlans| vlans.native));
        let native = answers.want(native, "vlans.native of pointsman.yaml")?;
        (native.get() == tag).then(|| format!("which is the native VLAN behind `{nic}`"))
    });
}

fn not_trunked(view: &View<'_>, answers: &mut Answers) {
    on_uplinks(view, answers, |view, nic, tag, answers| {
        let port = view.port(nic).map(|port| &port.vlans).filter(|vlans| !vlans.is_empty());
        let site = view.site.vlans.as_ref().map(|vlans| &vlans.trunked).filter(|vlans| !vlans.is_empty());
        let carried = answers.want(port.or(site), "cabling or vlans.trunked of pointsman.yaml")?;
        let carries = carried.iter().any(|vlan| vlan.get() == tag);
        (!carries).then(|| format!("which the trunk of `{nic}` does not carry"))
    });
}

fn vlan_one(view: &View<'_>, answers: &mut Answers) {
    for group in view.groups(answers) {
        if group.tag(answers) == Some(1) {
            answers.found(group.at(&["vlan"]), 1, format!("port group `{}` uses VLAN 1", group.name));
        }
    }
}

fn mixed_tagging(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let mut tagged: Option<&Group<'_>> = None;
        let mut bare: Option<&Group<'_>> = None;
        for group in view.groups_of(switch) {
            match group.vlan(answers) {
                Some(Vlan::Untagged) => bare = bare.or(Some(group)),
                Some(Vlan::Tagged(_)) => tagged = tagged.or(Some(group)),
                Some(Vlan::Trunk) | None => {}
            }
        }
        if let (Some(bare), Some(tagged)) = (bare, tagged) {
            let message = format!(
                "port group `{}` on `{}` is untagged, `{}` beside it is tagged",
                bare.name, switch.name, tagged.name
            );
            answers.found(bare.at(&["vlan"]), 0, message);
        }
    }
}

fn unregistered(view: &View<'_>, answers: &mut Answers) {
    let vlans = view.site.vlans.as_ref().map(|vlans| &vlans.registered).filter(|vlans| !vlans.is_empty());
    let Some(registered) = answers.want(vlans, "vlans.registered of pointsman.yaml") else { return };
    for group in view.groups(answers) {
        let Some(tag) = group.tag(answers) else { continue };
        if !registered.iter().any(|vlan| vlan.get() == tag) {
            let message = format!("port group `{}` uses VLAN {tag}, which is not registered", group.name);
            answers.found(group.at(&["vlan"]), tag, message);
        }
    }
}

fn label_with_two_vlans(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for group in view.groups(answers) {
            if let Some(value) = group.vlan(answers) {
                all.push(Told { key: group.name, value, host: view.host, about: group });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (group, vlan) = (told.about, told.value);
        let message =
            format!("port group `{}` has VLAN {vlan}, on `{on}` of the same group {usual}", group.name);
        answers.found_on(told.host, group.at(&["vlan"]), vlan, message);
    }
}

fn vlan_with_two_labels(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        // Two names on one host are a wish, not a drift.
        let mut names: BTreeMap<u16, Vec<&Group<'_>>> = BTreeMap::new();
        for group in view.groups(answers).iter().filter(|group| !group.has_vmks()) {
            if let Some(tag) = group.tag(answers) {
                names.entry(tag).or_default().push(group);
            }
        }
        for (key, groups) in names {
            if let [group] = groups.as_slice() {
                all.push(Told { key, value: group.name, host: view.host, about: *group });
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let message = format!("VLAN {} is port group `{}`, on `{on}` it is `{usual}`", told.key, told.value);
        answers.found_on(told.host, told.about.at(&["vlan"]), told.key, message);
    }
}

fn unused_trunk(fleet: &Fleet<'_>, answers: &mut Answers) {
    let vlans = answers.want(fleet.site.vlans.as_ref(), "vlans of pointsman.yaml");
    let Some(vlans) = vlans.filter(|vlans| !vlans.registered.is_empty() && !vlans.trunked.is_empty()) else {
        answers.missing("vlans.registered and vlans.trunked of pointsman.yaml");
        return;
    };
    let mut used = BTreeSet::new();
    for view in fleet.hosts() {
        if !view.is_whole(answers) {
            return;
        }
        for group in view.groups(answers) {
            match group.vlan(answers) {
                Some(Vlan::Tagged(id)) => drop(used.insert(id)),
                Some(Vlan::Untagged) => {}
                // With either of these any VLAN may be in use.
                Some(Vlan::Trunk) | None => return,
            }
        }
    }
    for vlan in vlans.registered.iter().filter(|vlan| vlans.trunked.contains(vlan) && !used.contains(vlan)) {
        let message = format!("VLAN {} is trunked to the hosts of this group and used by none", vlan.get());
        answers.found(fleet.at(), vlan.get(), message);
    }
}
