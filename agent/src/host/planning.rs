//! What must be read to judge an order: the parts of the host its plan touches, or everything.
//!
//! Owns: when a picture with carried parts is good enough to plan from. Must not: read, or decide about the
//! order; the apply machine plans again from the picture it gets. Called by `observe`.
//!
//! Such a picture is only used to say yes: it must lead to the very plan that was approved, and every answer that
//! plan touches or rests on must be fresh. Refusals, and hosts that seem to need nothing, are judged from a full
//! reading.

use engine::plan::plan;
use esxcli::observe::{Answers, Touched};
use model::{ObservedNetwork, Operation, Order, Plan};

/// The parts the order's plan touches, with the way to the coordinator; `None` asks for everything.
#[must_use]
pub fn touched_by_order(order: &Order, last: &ObservedNetwork) -> Option<Touched> {
    let planned = plan(&order.desired, last);
    if planned.is_refused() || planned.plan.is_empty() || planned.plan.digest != order.plan_digest {
        return None;
    }
    Some(touched_by_plan(&planned.plan, last).and(Touched::management(last)?))
}

/// The parts a plan touches, going forth or back.
#[must_use]
pub fn touched_by_plan(plan: &Plan, before: &ObservedNetwork) -> Touched {
    let operations: Vec<&Operation> =
        plan.steps.iter().flat_map(|step| std::iter::once(&step.operation).chain(&step.inverse)).collect();
    Touched::by(&operations, before)
}

/// Whether the order may be judged from `picture`, of which these answers were carried.
#[must_use]
pub fn is_enough(order: &Order, picture: &ObservedNetwork, carried: &Answers) -> bool {
    touched_by_order(order, picture)
        .is_some_and(|touched| carried.keys().all(|query| !touched.contains(query)))
}
