//! Operations for physical NICs: guards, administrative state, speed and duplex.

use super::draft::Draft;
use model::{Component, DesiredNetwork, DesiredNic, LinkState, NicLink, ObservedNic, Operation, VmnicName};

pub(super) fn draft(draft: &mut Draft, desired: &DesiredNetwork) {
    if desired.nics.is_empty() {
        return;
    }
    let observed = draft.observed;
    let Some(nics) = draft.need(&observed.nics, Component::Vmnic, "the list of physical NICs") else {
        return;
    };
    for (vmnic, wanted) in &desired.nics {
        match nics.get(vmnic) {
            Some(found) => one(draft, vmnic, wanted, found),
            None => draft.error(
                "PLAN-002",
                Component::Vmnic,
                format!("physical NIC `{vmnic}` is not on this host"),
                "correct the name, or the uplink map of the host",
            ),
        }
    }
}

fn guards_hold(draft: &mut Draft, vmnic: &VmnicName, wanted: &DesiredNic, found: &ObservedNic) -> bool {
    let mut hold = true;
    if let Some(pci) = &wanted.pci
        && *pci != found.pci
    {
        let message =
            format!("physical NIC `{vmnic}` is at PCI address {}, the document says {pci}", found.pci);
        draft.error(
            "PLAN-007",
            Component::Vmnic,
            message,
            "the NICs may have been renumbered: check the uplink map",
        );
        hold = false;
    }
    if let Some(mac) = wanted.mac
        && let Some(found_mac) =
            draft.need(&found.mac, Component::Vmnic, format_args!("the MAC address of `{vmnic}`"))
        && *found_mac != mac
    {
        let message = format!("physical NIC `{vmnic}` has MAC address {found_mac}, the document says {mac}");
        draft.error(
            "PLAN-007",
            Component::Vmnic,
            message,
            "the NICs may have been renumbered: check the uplink map",
        );
        hold = false;
    }
    hold
}

fn one(draft: &mut Draft, vmnic: &VmnicName, wanted: &DesiredNic, found: &ObservedNic) {
    if !guards_hold(draft, vmnic, wanted, found) {
        return;
    }
    if let Some(admin) = wanted.admin
        && let Some(is) =
            draft.need(&found.admin, Component::Vmnic, format_args!("the admin state of `{vmnic}`"))
        && *is != admin
    {
        let operation = match admin {
            LinkState::Up => Operation::NicUp { vmnic: vmnic.clone() },
            LinkState::Down => Operation::NicDown { vmnic: vmnic.clone() },
        };
        draft.push(operation, None);
    }
    if let Some(link) = wanted.link
        && let Some(auto) =
            draft.need(&found.auto_negotiation, Component::Vmnic, format_args!("the link mode of `{vmnic}`"))
        && !link_is(link, *auto, found)
    {
        draft.push(Operation::NicSet { vmnic: vmnic.clone(), link }, None);
    }
}

/// Whether the link mode is as wanted. Speed and duplex of a down link say nothing.
pub(crate) fn link_is(wanted: NicLink, auto: bool, found: &ObservedNic) -> bool {
    match wanted {
        NicLink::Auto => auto,
        NicLink::Fixed { .. } if auto => false,
        NicLink::Fixed { speed_mbps, duplex } => {
            found.link == LinkState::Down || (found.speed_mbps == speed_mbps && found.duplex == duplex)
        }
    }
}
