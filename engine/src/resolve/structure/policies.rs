//! Structural rules of teaming policies on switches and port groups. Must not know other rules.

use super::Checker;
use crate::documents::rules;
use model::{
    Component, DesiredPortGroup, DesiredVswitch, FailureDetection, LoadBalancing, PortGroupName, Setting,
    UplinkOrder, VmnicName, VswitchName,
};
use std::collections::BTreeSet;

/// Fewest uplinks with which beacon probing can tell which one failed.
const BEACON_UPLINKS_MIN: usize = 3;

/// A teaming policy with what it takes from its switch.
struct Effective<'a> {
    /// `switch `x`` or `port group `x``.
    owner: String,
    component: Component,
    /// Path of the policy in the document.
    path: [&'a str; 3],
    load_balancing: Option<LoadBalancing>,
    failure_detection: Option<FailureDetection>,
    /// Order of the policy itself.
    own_order: Option<&'a UplinkOrder>,
    /// Order in force, as far as the document says.
    order: Option<&'a UplinkOrder>,
    /// Uplinks of the switch, as far as the document says.
    uplinks: Option<&'a [VmnicName]>,
}

impl<'a> Checker<'a> {
    pub(super) fn switch_policies(&mut self, name: &'a VswitchName, fields: &'a DesiredVswitch) {
        let Some(teaming) = &fields.teaming else { return };
        let order = teaming.uplinks.as_ref();
        self.teaming(&Effective {
            owner: format!("switch `{name}`"),
            component: Component::Vswitch,
            path: ["vswitches", name.as_str(), "teaming"],
            load_balancing: teaming.load_balancing,
            failure_detection: teaming.failure_detection,
            own_order: order,
            order,
            uplinks: fields.uplinks.as_deref(),
        });
    }

    pub(super) fn port_group_policies(&mut self, name: &'a PortGroupName, fields: &'a DesiredPortGroup) {
        let Some(own) = &fields.teaming else { return };
        let switch = fields.vswitch.as_ref().and_then(|switch| self.switch(switch));
        let above = switch.and_then(|switch| switch.teaming.as_ref());
        let own_order = own.uplinks.as_ref().and_then(Setting::value);
        let own_balancing = own.load_balancing.as_ref().and_then(Setting::value).copied();
        let own_detection = own.failure_detection.as_ref().and_then(Setting::value).copied();
        self.teaming(&Effective {
            owner: format!("port group `{name}`"),
            component: Component::PortGroup,
            path: ["port_groups", name.as_str(), "teaming"],
            load_balancing: own_balancing.or_else(|| above.and_then(|above| above.load_balancing)),
            failure_detection: own_detection,
            own_order,
            order: own_order.or_else(|| above.and_then(|above| above.uplinks.as_ref())),
            uplinks: switch.and_then(|switch| switch.uplinks.as_deref()),
        });
    }

    fn teaming(&mut self, policy: &Effective<'a>) {
        if let Some(order) = policy.own_order {
            self.order(policy, order);
        }
        let [kind, name, teaming] = policy.path;
        let owner = &policy.owner;
        let standby = policy.order.is_some_and(|order| !order.standby.is_empty());
        if policy.load_balancing == Some(LoadBalancing::IpHash) && standby {
            let message = format!("{owner} balances by IP hash and has standby uplinks");
            let hint = "make all uplinks active, or use another `load_balancing`";
            let path = [kind, name, teaming, "load_balancing"];
            self.error(rules::IPHASH_STANDBY, policy.component, &path, message, hint);
        }
        let few = policy.uplinks.map(<[_]>::len).filter(|count| *count < BEACON_UPLINKS_MIN);
        if let (Some(FailureDetection::Beacon), Some(count)) = (policy.failure_detection, few) {
            let message = format!("{owner} uses beacon probing with {count} uplinks");
            let hint = "with fewer than three it cannot tell which uplink failed: use `link`";
            let path = [kind, name, teaming, "failure_detection"];
            self.warning(rules::BEACON_FEW, policy.component, &path, message, hint);
        }
    }

    fn order(&mut self, policy: &Effective<'a>, order: &UplinkOrder) {
        let [kind, name, teaming] = policy.path;
        let owner = &policy.owner;
        let mut seen = BTreeSet::new();
        let active = order.active.iter().map(|nic| ("active", nic));
        let standby = order.standby.iter().map(|nic| ("standby", nic));
        for (list, nic) in active.chain(standby) {
            let path = [kind, name, teaming, "uplinks", list];
            if !seen.insert(nic) {
                let message = format!("{owner} names `{nic}` twice in its active and standby uplinks");
                self.error(rules::UPLINK_TWICE, policy.component, &path, message, "keep one of them");
            }
            if policy.uplinks.is_some_and(|uplinks| !uplinks.contains(nic)) {
                let message = format!("{owner} uses `{nic}`, which is not among the uplinks of its switch");
                let hint = "add it to `uplinks` of the switch, or take it out here";
                self.error(rules::UPLINK_NOT_ON_SWITCH, policy.component, &path, message, hint);
            }
        }
    }
}
