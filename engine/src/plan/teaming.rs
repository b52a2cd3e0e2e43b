//! Operations for failover policies of switches and port groups.

use super::draft::Draft;
use model::{
    Component, DesiredTeaming, InheritedField, ObservedPortGroupTeaming, ObservedVswitch, Operation,
    PolicyReset, PortGroupName, PortGroupTeaming, Setting, TeamingChange, UplinkOrder, VmnicName,
    VswitchName,
};
use std::collections::BTreeSet;

/// Finds a NIC that an order names but the switch does not have.
fn check_order(
    draft: &mut Draft,
    owner: impl std::fmt::Display,
    order: &UplinkOrder,
    uplinks: &BTreeSet<VmnicName>,
) -> bool {
    let stranger = order.active.iter().chain(&order.standby).find(|vmnic| !uplinks.contains(*vmnic));
    if let Some(vmnic) = stranger {
        let message =
            format!("the failover order of {owner} names `{vmnic}`, which is no uplink of the switch");
        draft.error(
            "PLAN-005",
            Component::Vswitch,
            message,
            "add it to the uplinks of the switch, or take it out",
        );
    }
    stranger.is_none()
}

pub(super) fn on_new_vswitch(
    draft: &mut Draft,
    name: &VswitchName,
    wanted: &DesiredTeaming,
    uplinks: &BTreeSet<VmnicName>,
) {
    if let Some(order) = &wanted.uplinks
        && !check_order(draft, format_args!("`{name}`"), order, uplinks)
    {
        return;
    }
    let change = TeamingChange {
        load_balancing: wanted.load_balancing,
        failure_detection: wanted.failure_detection,
        notify_switches: wanted.notify_switches,
        failback: wanted.failback,
        active: wanted.uplinks.as_ref().map(|order| order.active.clone()),
        standby: wanted.uplinks.as_ref().map(|order| order.standby.clone()),
    };
    if change != TeamingChange::default() {
        draft.push(Operation::VswitchTeamingSet { vswitch: name.clone(), change }, Some(name));
    }
}

/// The failover policy of an existing switch; departing uplinks leave the order before they leave the switch.
pub(super) fn on_vswitch(
    draft: &mut Draft,
    name: &VswitchName,
    wanted: Option<&DesiredTeaming>,
    found: &ObservedVswitch,
    departing: &BTreeSet<VmnicName>,
    uplinks: Option<&BTreeSet<VmnicName>>,
) {
    if wanted.is_none() && departing.is_empty() {
        return;
    }
    let Some(now) =
        draft.need(&found.teaming, Component::Vswitch, format_args!("the failover policy of `{name}`"))
    else {
        return;
    };
    let empty = DesiredTeaming::default();
    let wanted = wanted.unwrap_or(&empty);
    let mut next = wanted.uplinks.clone().unwrap_or_else(|| now.uplinks.clone());
    if wanted.uplinks.is_none() {
        departing.iter().for_each(|vmnic| next.remove(vmnic));
    } else if let Some(uplinks) = uplinks
        && !check_order(draft, format_args!("`{name}`"), &next, uplinks)
    {
        return;
    }
    let order_changes = next != now.uplinks;
    let change = TeamingChange {
        load_balancing: wanted.load_balancing.filter(|value| *value != now.load_balancing),
        failure_detection: wanted.failure_detection.filter(|value| *value != now.failure_detection),
        notify_switches: wanted.notify_switches.filter(|value| *value != now.notify_switches),
        failback: wanted.failback.filter(|value| *value != now.failback),
        active: order_changes.then(|| next.active.clone()),
        standby: order_changes.then(|| next.standby.clone()),
    };
    if change != TeamingChange::default() {
        draft.push(Operation::VswitchTeamingSet { vswitch: name.clone(), change }, Some(name));
    }
}

/// What a policy field should be afterwards: keep, inherit, or own value; and whether that is a change.
pub(super) enum FieldNext<T> {
    /// As it is.
    Same,
    /// A new own value.
    Set(T),
    /// Give up the own value.
    Reset,
}

pub(super) fn field_next<T: PartialEq + Clone>(
    wanted: Option<&Setting<T>>,
    now: &InheritedField<T>,
) -> FieldNext<T> {
    match (wanted, now) {
        (None, _) | (Some(Setting::Inherit), InheritedField::Inherited(_)) => FieldNext::Same,
        (Some(Setting::Inherit), InheritedField::Own(_)) => FieldNext::Reset,
        (Some(Setting::Value(next)), InheritedField::Own(value)) if next == value => FieldNext::Same,
        (Some(Setting::Value(next)), _) => FieldNext::Set(next.clone()),
    }
}

impl<T> FieldNext<T> {
    pub(super) fn is_reset(&self) -> bool {
        matches!(self, Self::Reset)
    }

    /// The value to state in the call: the new one, or after a reset the own one that stays.
    pub(super) fn stated(self, reset: PolicyReset, now: &InheritedField<T>) -> Option<T>
    where
        T: Clone,
    {
        match (self, reset) {
            (Self::Set(value), _) => Some(value),
            (Self::Same, PolicyReset::InheritAll) => now.own().cloned(),
            (Self::Same, PolicyReset::Keep) | (Self::Reset, _) => None,
        }
    }
}

pub(super) fn reset_if(any_reset: impl IntoIterator<Item = bool>) -> PolicyReset {
    if any_reset.into_iter().any(|reset| reset) { PolicyReset::InheritAll } else { PolicyReset::Keep }
}

/// The failover policy of an existing port group.
pub(super) fn on_port_group(
    draft: &mut Draft,
    name: &PortGroupName,
    vswitch: &VswitchName,
    wanted: &PortGroupTeaming,
    now: &ObservedPortGroupTeaming,
) {
    let load_balancing = field_next(wanted.load_balancing.as_ref(), &now.load_balancing);
    let failure_detection = field_next(wanted.failure_detection.as_ref(), &now.failure_detection);
    let notify_switches = field_next(wanted.notify_switches.as_ref(), &now.notify_switches);
    let failback = field_next(wanted.failback.as_ref(), &now.failback);
    let uplinks = field_next(wanted.uplinks.as_ref(), &now.uplinks);
    let reset = reset_if([
        load_balancing.is_reset(),
        failure_detection.is_reset(),
        notify_switches.is_reset(),
        failback.is_reset(),
        uplinks.is_reset(),
    ]);
    let order = uplinks.stated(reset, &now.uplinks);
    let change = TeamingChange {
        load_balancing: load_balancing.stated(reset, &now.load_balancing),
        failure_detection: failure_detection.stated(reset, &now.failure_detection),
        notify_switches: notify_switches.stated(reset, &now.notify_switches),
        failback: failback.stated(reset, &now.failback),
        active: order.as_ref().map(|order| order.active.clone()),
        standby: order.as_ref().map(|order| order.standby.clone()),
    };
    if reset == PolicyReset::InheritAll || change != TeamingChange::default() {
        draft.push(Operation::PortGroupTeamingSet { port_group: name.clone(), reset, change }, Some(vswitch));
    }
}
