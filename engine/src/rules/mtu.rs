//! Rules of frame sizes: nothing on the way may be smaller than the adapter.

use super::answers::Answers;
use super::fleet::{Fleet, Odd, Told, odd};
use super::view::{Delta, Traffic, View, Vmk, role_of};
use super::{Kind, Rule};
use crate::plan::scene;
use crate::project::project;
use model::Severity::{Blocker, Error, Info, Warning};
use model::{Mtu, ObservedNetwork, VmkAttachment, VmkName};
use std::collections::BTreeMap;

pub(super) const RULES: &[Rule] = &[
    Rule::host(
        "MTU-001",
        Error,
        [
            "A VMkernel adapter with a larger MTU than its switch",
            "ESXi does not fragment at source; these services set DF: silent drop",
            "raise the MTU of the switch, or lower that of the adapter",
            "KB-MTU, BLOG-MTU",
            "MTU of switches and adapters",
        ],
        above_switch,
    ),
    Rule::host(
        "MTU-002",
        Error,
        [
            "An MTU above what the physical network carries",
            "Dropped on the wire",
            "raise the physical network first, or lower the adapter",
            "KB-MTU, JUMBO10",
            "MTU of adapters; physical_mtu of the site",
        ],
        above_network,
    ),
    Rule::group(
        "MTU-003",
        Error,
        [
            "Different MTUs for one traffic in a group",
            "VMotion compatibility warning, failures, timeouts",
            "use one MTU in the group",
            "KB-VMO-MTU",
            "MTU and services of adapters",
        ],
        unequal_role,
    ),
    Rule::elsewhere(
        "MTU-004",
        Blocker,
        Kind::Change,
        [
            "A switch MTU lowered below an adapter",
            "Known outage: a whole vSAN cluster went down this way",
            "Lower vmks first",
            "BLOG-MTU",
            "documents, MTU of switches and adapters",
        ],
        "the planner, as MTU-004",
    ),
    Rule::change(
        "MTU-005",
        Blocker,
        [
            "MTU steps in the wrong order",
            "Recommended sequence",
            "raise the switch before the adapter, lower the adapter before the switch",
            "KB-MTU-SEQ",
            "plan",
        ],
        order_of_steps,
    )
    .planned(),
    Rule::change(
        "MTU-006",
        Warning,
        [
            "An MTU change on the switch of management",
            "Uplinks may bounce; on vSphere's own list of disconnecting changes",
            "roll it out one host at a time",
            "KB-MTU, ROLLBACK",
            "MTU of switches, services of adapters",
        ],
        management_switch,
    ),
    Rule::host(
        "MTU-007",
        Warning,
        [
            "Management with another MTU than 1500",
            "No gain, path rarely jumbo-clean",
            "use 1500",
            "J, JUMBO19",
            "MTU and services of adapters",
        ],
        jumbo_management,
    ),
    Rule::host(
        "MTU-008",
        Info,
        [
            "A small MTU where the role says jumbo",
            "Throughput/CPU; only if the network already is jumbo",
            "use the MTU of the role",
            "VMO-BP, JUMBO19",
            "MTU of adapters; roles of the site",
        ],
        small_although_jumbo,
    ),
    Rule::host(
        "MTU-009",
        Warning,
        [
            "Different jumbo MTUs on one switch",
            "Docs advise one MTU for all vmks",
            "use one MTU on the switch",
            "ELECTRIC",
            "MTU of adapters",
        ],
        two_jumbos,
    ),
    Rule::group(
        "MTU-010",
        Warning,
        [
            "A canary alone with another MTU",
            "The wave itself creates MTU-003",
            "finish the group in one window and probe with large pings",
            "KB-VMO-MTU, J",
            "plan, canary of the rollout",
        ],
        partial_mtu,
    )
    .planned(),
];

/// Traffic between hosts, whose frames must not be split on the way.
const EAST_WEST: [Traffic; 4] = [Traffic::Vmotion, Traffic::Vsan, Traffic::Iscsi, Traffic::Nfs];

fn mtu_of(vmk: &Vmk<'_>, answers: &mut Answers) -> Option<Mtu> {
    answers.need(&vmk.state.mtu, "MTU of adapters").copied()
}

fn is_east_west(vmk: &Vmk<'_>) -> bool {
    EAST_WEST.iter().any(|traffic| vmk.carries(*traffic))
}

fn above_switch(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(room) = answers.need(&switch.state.mtu, "MTU of switches") else { continue };
        for vmk in view.vmks_on(switch) {
            let Some(own) = mtu_of(vmk, answers).filter(|own| own > room) else { continue };
            let cuts = [Traffic::Vsan, Traffic::Iscsi, Traffic::Vmotion].iter().any(|t| vmk.carries(*t));
            let message =
                format!("`{}` has MTU {own}, its standard switch `{}` only {room}", vmk.name, switch.name);
            let severity = if cuts { Blocker } else { Error };
            answers.found_as(severity, vmk.at(&["mtu"]), format!("{own} over {room}"), message);
        }
    }
}

fn above_network(view: &View<'_>, answers: &mut Answers) {
    let Some(carried) = answers.want(view.site.physical_mtu, "physical_mtu of pointsman.yaml") else {
        return;
    };
    for vmk in view.vmks(answers) {
        let Some(own) = mtu_of(vmk, answers).filter(|own| *own > carried) else { continue };
        let message = format!("`{}` has MTU {own}, the physical network carries {carried}", vmk.name);
        answers.found(vmk.at(&["mtu"]), own, message);
    }
}

fn unequal_role(fleet: &Fleet<'_>, answers: &mut Answers) {
    let mut all = Vec::new();
    for view in fleet.hosts() {
        for traffic in EAST_WEST {
            for vmk in view.carriers(traffic, answers) {
                if let Some(value) = mtu_of(vmk, answers) {
                    all.push(Told { key: traffic, value, host: view.host, about: vmk });
                }
            }
        }
    }
    for Odd { told, usual, on } in odd(all) {
        let (vmk, own, traffic) = (told.about, told.value, told.key.as_str());
        let message = format!("`{}` carries {traffic} with MTU {own}; on `{on}` it is {usual}", vmk.name);
        answers.found_on(told.host, vmk.at(&["mtu"]), own, message);
    }
}

/// By how much each adapter is above its switch.
fn excesses(state: &ObservedNetwork) -> BTreeMap<&VmkName, u16> {
    let excess = |(name, vmk)| {
        let (name, vmk): (&VmkName, &model::ObservedVmk) = (name, vmk);
        let VmkAttachment::PortGroup(group) = &vmk.attachment else { return None };
        let switch = &state.port_groups.read()?.get(group)?.vswitch;
        let room = state.vswitches.read()?.get(switch)?.mtu.read()?;
        Some((name, vmk.mtu.read()?.get().saturating_sub(room.get())))
    };
    state.vmkernels.read().into_iter().flatten().filter_map(excess).collect()
}

fn order_of_steps(delta: &Delta<'_>, answers: &mut Answers) {
    let Some(plan) = answers.want(delta.plan, "plan") else { return };
    let (before, after) = (excesses(delta.before.state), excesses(delta.after.state));
    let mut state = scene(delta.before.state, plan.steps.iter().map(|step| &step.operation));
    for (at, step) in plan.steps.iter().enumerate() {
        if project(&mut state, &step.operation).is_err() {
            return;
        }
        for (vmk, now) in excesses(&state) {
            let allowed = before.get(vmk).max(after.get(vmk)).copied().unwrap_or(0);
            if now > allowed {
                let message =
                    format!("after step {} `{vmk}` is {now} bytes above the MTU of its switch", at + 1);
                answers.found(super::answers::At::new(model::Component::Plan, &[]), vmk, message);
                return;
            }
        }
    }
}

fn management_switch(delta: &Delta<'_>, answers: &mut Answers) {
    for vmk in delta.after.carriers(Traffic::Management, answers) {
        let on = delta.after.group_of(vmk).and_then(|group| delta.after.switch_of(group));
        let Some(switch) = on else { continue };
        let now = switch.state.mtu.read();
        let was = delta.before.switch(switch.name).and_then(|switch| switch.state.mtu.read());
        if let (Some(was), Some(now)) = (was, now)
            && was != now
        {
            let message = format!(
                "standard switch `{}` carries management and changes its MTU from {was} to {now}",
                switch.name
            );
            answers.found(switch.at(&["mtu"]), now, message);
        }
    }
}

fn jumbo_management(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.carriers(Traffic::Management, answers) {
        let own = mtu_of(vmk, answers);
        if let Some(own) = own.filter(|own| *own != Mtu::DEFAULT && !is_east_west(vmk)) {
            let message = format!("`{}` carries management with MTU {own}", vmk.name);
            answers.found(vmk.at(&["mtu"]), own, message);
        }
    }
}

fn small_although_jumbo(view: &View<'_>, answers: &mut Answers) {
    for vmk in view.vmks(answers) {
        answers.want(vmk.traffic.as_ref(), "services of adapters");
        let Some(address) = vmk.address().filter(|_| is_east_west(vmk)) else { continue };
        let role = answers.want(role_of(view.site, address), "the role of the adapter in pointsman.yaml");
        let Some((role, promised)) = role.and_then(|(name, role)| Some((name, role.mtu?))) else { continue };
        let Some(own) = mtu_of(vmk, answers) else { continue };
        if own == Mtu::DEFAULT && promised > own {
            let message = format!("`{}` has MTU {own}, role `{role}` carries {promised}", vmk.name);
            answers.found(vmk.at(&["mtu"]), own, message);
        }
    }
}

fn two_jumbos(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let mut first = None;
        for vmk in view.vmks_on(switch) {
            let Some(own) = mtu_of(vmk, answers).filter(|own| *own > Mtu::DEFAULT) else { continue };
            let (other, name) = *first.get_or_insert((own, vmk.name));
            if other != own {
                let message = format!("`{}` has MTU {own}, `{name}` on the same switch {other}", vmk.name);
                answers.found(vmk.at(&["mtu"]), own, message);
            }
        }
    }
}

fn partial_mtu(fleet: &Fleet<'_>, answers: &mut Answers) {
    if fleet.hosts().len() <= fleet.canary {
        return;
    }
    for delta in fleet.deltas() {
        for vmk in delta.after.vmks(answers).iter().filter(|vmk| is_east_west(vmk)) {
            let was = delta.before.vmk(vmk.name).and_then(|was| was.state.mtu.read());
            let now = vmk.state.mtu.read();
            if let (Some(was), Some(now)) = (was, now)
                && was != now
            {
                let message = format!(
                    "`{}` goes from MTU {was} to {now}: while the canary has it alone, hosts of the group differ",
                    vmk.name
                );
                answers.found_on(delta.after.host, vmk.at(&["mtu"]), now, message);
            }
        }
    }
}
