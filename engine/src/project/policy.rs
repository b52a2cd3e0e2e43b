//! Effects of policy calls, on a switch and on its port groups, with inheritance.

use super::{Projected, inherited_security, inherited_teaming, port_group_mut, vswitch_mut};
use model::{
    InheritedField, Known, ObservedNetwork, ObservedPortGroup, ObservedPortGroupSecurity,
    ObservedPortGroupTeaming, ObservedVswitch, Operation, PolicyReset, SecurityChange, SecurityPolicy,
    TeamingChange, TeamingPolicy, VswitchName,
};

pub(super) fn project(observed: &mut ObservedNetwork, operation: &Operation) -> Projected {
    match operation {
        Operation::VswitchTeamingSet { vswitch, change } => {
            if let Some(policy) = vswitch_mut(observed, vswitch)?.teaming.read_mut() {
                change_teaming(policy, change);
            }
            inherit_again(observed, vswitch)
        }
        Operation::VswitchSecuritySet { vswitch, change } => {
            if let Some(policy) = vswitch_mut(observed, vswitch)?.security.read_mut() {
                change_security(policy, *change);
            }
            inherit_again(observed, vswitch)
        }
        Operation::VswitchShapingSet { vswitch, shaping } => {
            vswitch_mut(observed, vswitch)?.shaping = Known::Read(*shaping);
            inherit_again(observed, vswitch)
        }
        Operation::PortGroupTeamingSet { port_group, reset, change } => {
            let vswitch = port_group_mut(observed, port_group)?.vswitch.clone();
            let base = vswitch_mut(observed, &vswitch)?;
            let base = base.teaming.read().filter(|_| *reset == PolicyReset::InheritAll).cloned();
            let group = port_group_mut(observed, port_group)?;
            if let Some(base) = base {
                group.teaming = Known::Read(inherited_teaming(base));
            }
            if let Some(policy) = group.teaming.read_mut() {
                override_teaming(policy, change);
            }
            Ok(())
        }
        Operation::PortGroupSecuritySet { port_group, reset, change } => {
            let vswitch = port_group_mut(observed, port_group)?.vswitch.clone();
            let base = vswitch_mut(observed, &vswitch)?;
            let base = base.security.read().filter(|_| *reset == PolicyReset::InheritAll).cloned();
            let group = port_group_mut(observed, port_group)?;
            if let Some(base) = base {
                group.security = Known::Read(inherited_security(base));
            }
            if let Some(policy) = group.security.read_mut() {
                override_security(policy, *change);
            }
            Ok(())
        }
        Operation::PortGroupShapingSet { port_group, reset, change } => {
            let vswitch = port_group_mut(observed, port_group)?.vswitch.clone();
            let base = vswitch_mut(observed, &vswitch)?.shaping.clone();
            let group = port_group_mut(observed, port_group)?;
            match (change, reset, base) {
                (Some(shaping), _, _) => group.shaping = Known::Read(InheritedField::Own(*shaping)),
                (None, PolicyReset::InheritAll, base) => group.shaping = base.map(InheritedField::Inherited),
                (None, PolicyReset::Keep, _) => {}
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        *field = value.clone();
    }
}

fn change_teaming(policy: &mut TeamingPolicy, change: &TeamingChange) {
    let TeamingChange { load_balancing, failure_detection, notify_switches, failback, active, standby } =
        change;
    set(&mut policy.load_balancing, load_balancing.as_ref());
    set(&mut policy.failure_detection, failure_detection.as_ref());
    set(&mut policy.notify_switches, notify_switches.as_ref());
    set(&mut policy.failback, failback.as_ref());
    set(&mut policy.uplinks.active, active.as_ref());
    set(&mut policy.uplinks.standby, standby.as_ref());
}

fn change_security(policy: &mut SecurityPolicy, change: SecurityChange) {
    let SecurityChange { allow_promiscuous, allow_mac_change, allow_forged_transmits } = change;
    set(&mut policy.allow_promiscuous, allow_promiscuous.as_ref());
    set(&mut policy.allow_mac_change, allow_mac_change.as_ref());
    set(&mut policy.allow_forged_transmits, allow_forged_transmits.as_ref());
}

fn own<T: Clone>(field: &mut InheritedField<T>, value: Option<&T>) {
    if let Some(value) = value {
        *field = InheritedField::Own(value.clone());
    }
}

fn override_teaming(policy: &mut ObservedPortGroupTeaming, change: &TeamingChange) {
    let TeamingChange { load_balancing, failure_detection, notify_switches, failback, active, standby } =
        change;
    own(&mut policy.load_balancing, load_balancing.as_ref());
    own(&mut policy.failure_detection, failure_detection.as_ref());
    own(&mut policy.notify_switches, notify_switches.as_ref());
    own(&mut policy.failback, failback.as_ref());
    if active.is_some() || standby.is_some() {
        let mut order = policy.uplinks.value().clone();
        set(&mut order.active, active.as_ref());
        set(&mut order.standby, standby.as_ref());
        policy.uplinks = InheritedField::Own(order);
    }
}

fn override_security(policy: &mut ObservedPortGroupSecurity, change: SecurityChange) {
    let SecurityChange { allow_promiscuous, allow_mac_change, allow_forged_transmits } = change;
    own(&mut policy.allow_promiscuous, allow_promiscuous.as_ref());
    own(&mut policy.allow_mac_change, allow_mac_change.as_ref());
    own(&mut policy.allow_forged_transmits, allow_forged_transmits.as_ref());
}

fn refresh<T: Clone>(field: &mut InheritedField<T>, base: &T) {
    if let InheritedField::Inherited(value) = field {
        *value = base.clone();
    }
}

/// Hands the switch's policies down to the inheriting fields of its port groups.
fn inherit_again(observed: &mut ObservedNetwork, vswitch: &VswitchName) -> Projected {
    let base = vswitch_mut(observed, vswitch)?.clone();
    if let Some(groups) = observed.port_groups.read_mut() {
        for group in groups.values_mut().filter(|group| group.vswitch == *vswitch) {
            refresh_group(group, &base);
        }
    }
    Ok(())
}

fn refresh_group(group: &mut ObservedPortGroup, base: &ObservedVswitch) {
    if let (Some(policy), Some(base)) = (group.teaming.read_mut(), base.teaming.read()) {
        refresh(&mut policy.load_balancing, &base.load_balancing);
        refresh(&mut policy.failure_detection, &base.failure_detection);
        refresh(&mut policy.notify_switches, &base.notify_switches);
        refresh(&mut policy.failback, &base.failback);
        refresh(&mut policy.uplinks, &base.uplinks);
    }
    if let (Some(policy), Some(base)) = (group.security.read_mut(), base.security.read()) {
        refresh(&mut policy.allow_promiscuous, &base.allow_promiscuous);
        refresh(&mut policy.allow_mac_change, &base.allow_mac_change);
        refresh(&mut policy.allow_forged_transmits, &base.allow_forged_transmits);
    }
    if let (Some(policy), Some(base)) = (group.shaping.read_mut(), base.shaping.read()) {
        refresh(policy, base);
    }
}
