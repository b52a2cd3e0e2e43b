//! Rules of storage, vMotion, vSAN and fault tolerance networks.

use super::answers::Answers;
use super::view::{Delta, Traffic, View, Vmk, role_of};
use super::{Kind, Rule};
use model::Severity::{Blocker, Error, Warning};
use model::{StorageProtocol, UplinkOrder, VmnicName};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "STO-001",
        Error,
        [
            "A bound iSCSI adapter without exactly one uplink",
            "Binding needs 1:1 vmk:vmnic, all others unused",
            "make exactly one uplink active and leave the others unused",
            "ISCSI-7, ISCSI-51",
            "failover order; storage roles of the site",
        ],
        binding_order,
    ),
    Rule::host(
        "STO-002",
        Error,
        [
            "Bound iSCSI adapters on one uplink",
            "No path diversity",
            "give each bound adapter an uplink of its own",
            "ISCSI-7",
            "failover order; storage roles of the site",
        ],
        binding_same_nic,
    ),
    Rule::host(
        "STO-003",
        Error,
        [
            "Bound iSCSI adapters in different subnets",
            "'do not use port binding' cases",
            "put them into one subnet, or do without port binding",
            "ISCSI-7",
            "IPv4 of adapters; storage roles of the site",
        ],
        binding_subnets,
    ),
    Rule::host(
        "STO-004",
        Error,
        [
            "Bound iSCSI adapters of one subnet on different switches",
            "Same subnet must share one vSwitch",
            "put them on one switch",
            "ISCSI-65",
            "port groups; storage roles of the site",
        ],
        binding_switches,
    ),
    Rule::host(
        "STO-005",
        Error,
        [
            "Unbound iSCSI adapters in one subnet",
            "Second vmk never used: all traffic on the first",
            "bind them, or use separate subnets",
            "ISCSI-KB",
            "IPv4 of adapters; storage roles of the site",
        ],
        unbound_pair,
    ),
    Rule::change(
        "STO-006",
        Blocker,
        [
            "A change under an iSCSI binding",
            "Documented 'do not change while bound'; breaks association",
            "drain the paths and unbind first",
            "ISCSI-65",
            "plan; storage roles of the site",
        ],
        binding_touched,
    ),
    Rule::host(
        "STO-007",
        Error,
        [
            "A single storage path",
            "No storage path redundancy",
            "add a second path",
            "J, ISCSI-7",
            "adapters; storage roles of the site",
        ],
        single_path,
    ),
    Rule::unread(
        "STO-008",
        Error,
        Kind::State,
        ["An iSER adapter on a team", "ISER does not support teaming", "Separate switch", "ISCSI-7"],
        "iSER adapters",
    ),
    Rule::unread(
        "STO-009",
        Warning,
        Kind::State,
        [
            "No adapter in the subnet of the NFS server",
            "Traffic takes the default gateway (mgmt)",
            "Dedicated vmk on-link",
            "WAHL, COGAN",
        ],
        "NFS mounts",
    ),
    Rule::host(
        "STO-010",
        Warning,
        [
            "Several adapters in the NFS subnet",
            "Host uses only one",
            "keep one, or use separate subnets",
            "DELL-NFS, WAHL",
            "IPv4 of adapters; storage roles of the site",
        ],
        two_nfs,
    ),
];

const ROLES: &str = "roles with `storage` in pointsman.yaml";

/// iSCSI adapters of roles with port binding, or of those without; noted when the site names no iSCSI role.
fn iscsi<'v, 'a>(view: &'v View<'a>, bound: bool, answers: &mut Answers) -> Vec<&'v Vmk<'a>> {
    let is_named = view.site.roles.values().any(|role| role.storage == Some(StorageProtocol::Iscsi));
    if answers.want(is_named.then_some(()), ROLES).is_none() {
        return Vec::new();
    }
    let binds = |vmk: &&Vmk<'_>| {
        let role = vmk.address().and_then(|address| role_of(view.site, address));
        role.is_some_and(|(_, role)| role.port_binding == bound)
    };
    view.carriers(Traffic::Iscsi, answers).into_iter().filter(binds).collect()
}

pub(super) fn order_of<'a>(view: &View<'a>, vmk: &Vmk<'a>, answers: &mut Answers) -> Option<&'a UplinkOrder> {
    view.group_of(vmk)?.order(answers)
}

fn first_active<'a>(view: &View<'a>, vmk: &Vmk<'a>, answers: &mut Answers) -> Option<&'a VmnicName> {
    order_of(view, vmk, answers)?.active.first()
}

fn binding_order(view: &View<'_>, answers: &mut Answers) {
    for vmk in iscsi(view, true, answers) {
        let (Some(group), Some(order)) = (view.group_of(vmk), order_of(view, vmk, answers)) else { continue };
        if order.active.len() != 1 || !order.standby.is_empty() {
            let message = format!(
                "`{}` is bound for iSCSI; port group `{}` has {} active and {} standby uplinks",
                vmk.name,
                group.name,
                order.active.len(),
                order.standby.len()
            );
            let value = format!("{}+{}", order.active.len(), order.standby.len());
            answers.found(group.at(&["teaming", "uplinks"]), value, message);
        }
    }
}

fn binding_same_nic(view: &View<'_>, answers: &mut Answers) {
    let mut owners = BTreeMap::new();
    for vmk in iscsi(view, true, answers) {
        let Some(nic) = first_active(view, vmk, answers) else { continue };
        if let Some(other) = owners.insert(nic, vmk.name) {
            let message = format!("`{other}` and `{}` are bound for iSCSI and both use `{nic}`", vmk.name);
            answers.found(vmk.at(&["port_group"]), nic, message);
        }
    }
}

fn binding_subnets(view: &View<'_>, answers: &mut Answers) {
    let mut first = None;
    for vmk in iscsi(view, true, answers) {
        let Some(own) = vmk.fixed(answers) else { continue };
        let (other, name) = *first.get_or_insert((own, vmk.name));
        if other.network() != own.network() {
            let message = format!("`{name}` and `{}` are bound for iSCSI in different subnets", vmk.name);
            answers.found(vmk.at(&["ipv4"]), own.network(), message);
        }
    }
}

fn binding_switches(view: &View<'_>, answers: &mut Answers) {
    let mut first = BTreeMap::new();
    for vmk in iscsi(view, true, answers) {
        let (Some(own), Some(group)) = (vmk.fixed(answers), view.group_of(vmk)) else { continue };
        let switch = &group.state.vswitch;
        let (other, name) = *first.entry(own.network()).or_insert((switch, vmk.name));
        if other != switch {
            let message =
                format!("`{name}` on `{other}` and `{}` on `{switch}` are bound in one subnet", vmk.name);
            answers.found(vmk.at(&["port_group"]), switch, message);
        }
    }
}

/// Adapters that share their network with an earlier one of the same traffic.
pub(super) fn sharing<'v, 'a>(vmks: &[&'v Vmk<'a>], answers: &mut Answers) -> Vec<(&'v Vmk<'a>, String)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for vmk in vmks {
        let Some(own) = vmk.fixed(answers) else { continue };
        if !seen.insert(own.network()) {
            found.push((*vmk, own.network().to_string()));
        }
    }
    found
}

fn unbound_pair(view: &View<'_>, answers: &mut Answers) {
    let vmks = iscsi(view, false, answers);
    for (vmk, network) in sharing(&vmks, answers) {
        let message = format!("`{}` is one more iSCSI adapter in {network}, without port binding", vmk.name);
        answers.found(vmk.at(&["ipv4"]), network, message);
    }
}

fn binding_touched(delta: &Delta<'_>, answers: &mut Answers) {
    for was in iscsi(delta.before, true, answers) {
        let order = |view: &View<'_>, vmk: &Vmk<'_>| {
            view.group_of(vmk).and_then(|group| group.state.teaming.read()).map(|t| t.uplinks.value().clone())
        };
        let same = delta
            .after
            .vmk(was.name)
            .is_some_and(|now| now.state == was.state && order(delta.before, was) == order(delta.after, now));
        if !same {
            let message = format!("`{}` is bound for iSCSI and changes while it is", was.name);
            answers.found(was.at(&[]), "bound", message);
        }
    }
}

fn single_path(view: &View<'_>, answers: &mut Answers) {
    let bound = iscsi(view, true, answers);
    if let [only] = bound.as_slice() {
        let message = format!("`{}` is the only bound iSCSI adapter", only.name);
        answers.found(only.at(&[]), "1", message);
    }
    for vmk in view.carriers(Traffic::Nfs, answers) {
        let Some(order) = order_of(view, vmk, answers) else { continue };
        let count = order.active.len() + order.standby.len();
        if count == 1 {
            let message = format!("`{}` carries NFS over a single uplink", vmk.name);
            answers.found(vmk.at(&[]), count, message);
        }
    }
}

fn two_nfs(view: &View<'_>, answers: &mut Answers) {
    let is_named = view.site.roles.values().any(|role| role.storage == Some(StorageProtocol::Nfs));
    answers.want(is_named.then_some(()), ROLES);
    let vmks = view.carriers(Traffic::Nfs, answers);
    for (vmk, network) in sharing(&vmks, answers) {
        answers.found(
            vmk.at(&["ipv4"]),
            &network,
            format!("`{}` is one more NFS adapter in {network}", vmk.name),
        );
    }
}
