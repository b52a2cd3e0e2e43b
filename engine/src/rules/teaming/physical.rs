//! Teaming against what is behind the uplinks: cards, links, physical switches, port channels. Must not: look at names.

use super::super::answers::Answers;
use super::super::view::{Switch, Traffic, View};
use super::{own_balancing, own_order, teams};
use model::Severity::{Error, Warning};
use model::{LoadBalancing, ObservedPortGroupTeaming, SwitchPort, UplinkOrder, VmnicName};
use std::collections::BTreeSet;

/// The ports behind all uplinks of a switch; noted when one is not known.
fn ports<'a>(view: &View<'a>, switch: &Switch<'a>, answers: &mut Answers) -> Option<Vec<&'a SwitchPort>> {
    let uplinks = switch.uplinks(answers);
    let all: Option<Vec<_>> = uplinks.into_iter().map(|nic| view.port(nic)).collect();
    answers.want(all, "cabling of pointsman.yaml")
}

fn channels<'a>(ports: &[&'a SwitchPort]) -> BTreeSet<&'a str> {
    ports.iter().filter_map(|port| port.lag.as_deref()).collect()
}

pub(super) fn iphash_channel(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, |_| false) {
        let Some(ports) = ports(view, team.switch, answers) else { continue };
        let all_in = !ports.is_empty() && ports.iter().all(|port| port.lag.is_some());
        let hashes = team.load_balancing == LoadBalancing::IpHash;
        let word = team.load_balancing.as_str();
        if hashes && !all_in {
            let message = format!("{} balances by IP hash, but its uplinks are no port channel", team.owner);
            answers.found(team.at("load_balancing"), word, message);
        } else if !hashes && ports.iter().any(|port| port.lag.is_some()) {
            let message = format!("{} balances by `{word}`, but its uplinks are a port channel", team.owner);
            answers.found(team.at("load_balancing"), word, message);
        }
    }
}

pub(super) fn balancing_override(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_balancing).into_iter().filter(|team| team.group.is_some()) {
        let Some(ports) = ports(view, team.switch, answers) else { continue };
        let is_channel = ports.iter().any(|port| port.lag.is_some());
        if (team.load_balancing == LoadBalancing::IpHash) != is_channel {
            let word = team.load_balancing.as_str();
            let state = if is_channel { "are a port channel" } else { "are no port channel" };
            let message =
                format!("{} balances by `{word}`, but the uplinks of its switch {state}", team.owner);
            answers.found(team.at("load_balancing"), word, message);
        }
    }
}

pub(super) fn two_channels(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(ports) = ports(view, switch, answers) else { continue };
        let channels: Vec<&str> = channels(&ports).into_iter().collect();
        if channels.len() > 1 {
            let channels = channels.join(",");
            let message =
                format!("standard switch `{}` ends in several port channels: {channels}", switch.name);
            answers.found(switch.at(&["uplinks"]), channels, message);
        }
    }
}

/// The physical switches, stacks taken as one.
fn behind<'a>(view: &View<'a>, ports: &[&'a SwitchPort]) -> BTreeSet<&'a str> {
    ports.iter().map(|port| view.stack(&port.switch)).collect()
}

pub(super) fn channel_over_switches(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, |_| false) {
        let Some(ports) = ports(view, team.switch, answers) else { continue };
        let switches = behind(view, &ports);
        if team.load_balancing == LoadBalancing::IpHash && switches.len() > 1 {
            let switches = switches.into_iter().collect::<Vec<_>>().join(",");
            let message = format!("{} balances by IP hash over separate switches: {switches}", team.owner);
            answers.found(team.at("load_balancing"), switches, message);
        }
    }
}

pub(super) fn one_card(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let card = |view: &View<'_>, nic: &VmnicName| {
            view.state.nics.read()?.get(nic)?.pci.rsplit_once('.').map(|(card, _)| card.to_owned())
        };
        let uplinks = switch.uplinks(answers);
        let cards: Option<BTreeSet<String>> = uplinks.iter().map(|nic| card(view, nic)).collect();
        let Some(cards) = answers.want(cards, "PCI addresses of NICs") else { continue };
        if let (Some(card), true) = (cards.first(), uplinks.len() > 1 && cards.len() == 1) {
            let message = format!("all uplinks of standard switch `{}` are on the card {card}", switch.name);
            answers.found(switch.at(&["uplinks"]), card, message);
        }
    }
}

pub(super) fn one_switch(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(ports) = ports(view, switch, answers).filter(|ports| ports.len() > 1) else { continue };
        let switches: BTreeSet<&str> = ports.iter().map(|port| port.switch.as_str()).collect();
        // Members of a stack are one switch to a failure only when they are the same member.
        if let (Some(one), 1) = (switches.first(), switches.len()) {
            let message = format!("all uplinks of standard switch `{}` end in `{one}`", switch.name);
            answers.found(switch.at(&["uplinks"]), one, message);
        }
    }
}

pub(super) fn unequal_links(view: &View<'_>, answers: &mut Answers) {
    for team in teams(view, answers, own_order) {
        let nics: Option<Vec<_>> = team.order.active.iter().map(|nic| view.nic(nic)).collect();
        let Some(nics) = answers.want(nics, "NICs") else { continue };
        let up = nics.iter().filter(|nic| nic.link == model::LinkState::Up);
        let kinds: BTreeSet<_> = up.map(|nic| (nic.speed_mbps, nic.duplex)).collect();
        if kinds.len() > 1 {
            let speeds: Vec<String> = kinds.iter().map(|(speed, _)| speed.to_string()).collect();
            let speeds = speeds.join(",");
            let severity = if team.load_balancing == LoadBalancing::IpHash { Error } else { Warning };
            let message =
                format!("{} has active uplinks of different speed or duplex: {speeds} Mbit/s", team.owner);
            answers.found_as(severity, team.at("uplinks"), speeds, message);
        }
    }
}

pub(super) fn mixed_drivers(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let uplinks = switch.uplinks(answers);
        let drivers: Option<BTreeSet<&str>> =
            uplinks.iter().map(|nic| view.nic(nic).map(|nic| nic.driver.as_str())).collect();
        let Some(drivers) = answers.want(drivers, "drivers of NICs") else { continue };
        if drivers.len() > 1 {
            let drivers = drivers.into_iter().collect::<Vec<_>>().join(",");
            let message =
                format!("the uplinks of standard switch `{}` have different drivers: {drivers}", switch.name);
            answers.found(switch.at(&["uplinks"]), drivers, message);
        }
    }
}

pub(super) fn idle_uplink(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let orders: Option<Vec<&UplinkOrder>> =
            view.groups_of(switch).map(|group| group.order(answers)).collect();
        let Some(orders) = orders.filter(|orders| !orders.is_empty()) else { continue };
        for nic in switch.uplinks(answers) {
            if !orders.iter().any(|order| order.uses(nic)) {
                let message =
                    format!("no port group of standard switch `{}` uses its uplink `{nic}`", switch.name);
                answers.found(switch.at(&["uplinks"]), nic, message);
            }
        }
    }
}

pub(super) fn two_domains(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        let Some(ports) = ports(view, switch, answers) else { continue };
        let Some((first, rest)) = ports.split_first() else { continue };
        let apart = |port: &&&SwitchPort| {
            let known = !first.vlans.is_empty() && !port.vlans.is_empty();
            known && !port.vlans.iter().any(|vlan| first.vlans.contains(vlan))
        };
        if let Some(port) = rest.iter().find(apart) {
            let message = format!(
                "uplinks of standard switch `{}` end on `{}` and `{}`, which share no VLAN",
                switch.name, first.switch, port.switch
            );
            answers.found(switch.at(&["uplinks"]), &port.switch, message);
        }
    }
}

pub(super) fn not_crossed(view: &View<'_>, answers: &mut Answers) {
    for switch in view.switches(answers) {
        if switch.uplinks(answers).len() != 2 {
            continue;
        }
        let mut policy = |traffic: Traffic| {
            answers.want(
                view.vmks_on(switch).all(|vmk| vmk.traffic.is_some()).then_some(()),
                "services of adapters",
            );
            let vmk = view.vmks_on(switch).find(|vmk| vmk.carries(traffic))?;
            view.group_of(vmk)?.teaming(answers)
        };
        let (Some(management), Some(vmotion)) = (policy(Traffic::Management), policy(Traffic::Vmotion))
        else {
            continue;
        };
        let first = |policy: &ObservedPortGroupTeaming| match policy.uplinks.value() {
            UplinkOrder { active, standby } if active.len() == 1 && standby.len() == 1 => {
                active.first().cloned()
            }
            _ => None,
        };
        let is_crossed = match (first(management), first(vmotion)) {
            (Some(a), Some(b)) => a != b,
            _ => false,
        };
        if !is_crossed && *management.load_balancing.value() != LoadBalancing::IpHash {
            let message = format!(
                "management and vMotion share the two uplinks of standard switch `{}` without crossed order",
                switch.name
            );
            answers.found(switch.at(&["uplinks"]), "not crossed", message);
        }
    }
}
