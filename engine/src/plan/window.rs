//! How long a host waits for the confirmation of a plan: as long as the network may need to settle.
//!
//! Owns: the default window and what lengthens it. Must not: look at a host or a clock. Called by
//! the coordinator when it orders a change and by review, which shows it.

use model::{Disruption, Ipv4Config, Millis, Operation, Plan, Step};

/// The window when nothing has to settle; with the rollback itself a cut host is back within 75 s.
const BASE: Millis = Millis(60_000);
/// Spanning tree: a switch port that saw a link come up forwards after two forward delays of 15 s (IEEE 802.1D).
const SPANNING_TREE: Millis = Millis(30_000);
/// DHCP: a client that misses its first answers tries again after 4, 8 and 16 s (RFC 2131, 4.1).
const DHCP_LEASE: Millis = Millis(30_000);
/// A new address on an adapter: time for gratuitous ARP to reach neighbours and for services to connect again (our estimate).
const READDRESS: Millis = Millis(10_000);
/// The shortest window: a confirmation needs a new connection and an answer.
const SHORTEST: Millis = Millis(30_000);
/// The longest window: a host in doubt does not stay in doubt for longer.
const LONGEST: Millis = Millis(600_000);

/// The window of a plan, when nobody asks for another.
///
/// A plan that touches the management path gets no more than the base: the cut may be real.
#[must_use]
pub fn confirm_window(plan: &Plan) -> Millis {
    let any = |settles: fn(&Step) -> bool| plan.steps.iter().any(settles);
    let mut window = BASE;
    if plan.disruption < Disruption::ManagementPath {
        let extras = [
            (link_returns as fn(&Step) -> bool, SPANNING_TREE),
            (asks_for_lease, DHCP_LEASE),
            (readdresses, READDRESS),
        ];
        for (_, extra) in extras.into_iter().filter(|(settles, _)| any(*settles)) {
            window = Millis(window.0.saturating_add(extra.0));
        }
    }
    window.clamp(SHORTEST, LONGEST)
}

/// Whether a physical port comes up, or up again, under traffic.
fn link_returns(step: &Step) -> bool {
    let joins = matches!(
        step.operation,
        Operation::UplinkAdd { .. } | Operation::NicUp { .. } | Operation::NicSet { .. }
    );
    joins || step.disruption == Disruption::LinkBounce
}

fn asks_for_lease(step: &Step) -> bool {
    match &step.operation {
        Operation::VmkIpv4Set { ipv4, .. } => *ipv4 == Ipv4Config::Dhcp,
        Operation::VmkIpv6Set { change, .. } => change.dhcp == Some(true),
        _ => false,
    }
}

/// Whether an adapter that was there gets another address, or is made anew. A new adapter surprises nobody.
fn readdresses(step: &Step) -> bool {
    match step.operation {
        Operation::VmkIpv4Set { .. } => step.disruption >= Disruption::TrafficLoss,
        Operation::VmkRemove { .. } | Operation::VmkAdd { .. } => step.disruption == Disruption::Replace,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
