//! Changes that somebody else made inside the window. Must not judge our own steps; `verify` does.
//!
//! An object that no step touches must read as it did before the first step. What a step touches is told by
//! projecting the steps on the picture before them: an object that comes out different is ours, and so are the routes
//! of a netstack whose adapters are.

use super::Open;
use super::standing::{Standing, standing};
use crate::probe::expected_after;
use crate::project::project;
use crate::verify::compare_images;
use model::{Component, Difference, DifferenceKind, ObservedNetwork, VmkName};
use std::collections::BTreeSet;

/// What somebody else changed and nobody has accepted: as it was (`desired`) and as it is (`observed`).
pub(super) fn foreign(open: &Open, observed: &ObservedNetwork) -> Vec<Difference> {
    let before = &open.transaction.pre_image;
    let mut differences = compare_images(before, observed);
    differences.retain(|found| found.kind != DifferenceKind::Unreadable);
    if differences.is_empty() {
        return differences;
    }
    let ours = touched(open);
    differences.retain(|found| {
        let object = (found.component, found.object.clone());
        let key = (found.object.clone(), found.field.clone());
        !ours.contains(&object) && !open.accepted.contains(&key)
    });
    differences
}

/// The objects that our steps change.
fn touched(open: &Open) -> BTreeSet<(Component, String)> {
    let before = &open.transaction.pre_image;
    let after = expected_after(before, &open.transaction.plan);
    let mut ours: BTreeSet<_> =
        compare_images(before, &after).into_iter().map(|found| (found.component, found.object)).collect();
    let netstacks: Vec<(Component, String)> = ours
        .iter()
        .filter(|(component, _)| *component == Component::Vmk)
        .flat_map(|(_, name)| [before, &after].map(|image| netstack_of(image, name)))
        .flatten()
        .map(|name| (Component::Netstack, name))
        .collect();
    ours.extend(netstacks);
    ours
}

fn netstack_of(image: &ObservedNetwork, vmk: &str) -> Option<String> {
    let name = VmkName::new(vmk).ok()?;
    Some(image.vmkernels.read()?.get(&name)?.netstack.to_string())
}

/// The first step that should show in the end and does not, in words. The document need not mention what it does: a
/// route or a service tag that a replaced adapter gets again is nothing that `verify` looks for.
pub(super) fn traceless(open: &Open, observed: &ObservedNetwork) -> Option<String> {
    let after = expected_after(&open.transaction.pre_image, &open.transaction.plan);
    let steps = (1_u32..).zip(&open.transaction.plan.steps);
    let mut gone = steps.filter(|(_, step)| {
        standing(&step.operation, &after) == Standing::InForce
            && standing(&step.operation, observed) == Standing::NotInForce
    });
    if let Some((number, _)) = gone.next() {
        return Some(format!("step {number} of {} does not show on the host", open.steps_total()));
    }
    unset(open, &after, observed)
}

/// The first value that a step sets and the host does not have: setting all of them again would change the host, and
/// towards what was expected. Values that the host has of its own accord do not count.
fn unset(open: &Open, after: &ObservedNetwork, observed: &ObservedNetwork) -> Option<String> {
    let mut again = observed.clone();
    for step in &open.transaction.plan.steps {
        if standing(&step.operation, after) == Standing::Unknown {
            // On an object that is not there the step of its making is told above.
            let _ = project(&mut again, &step.operation);
        }
    }
    let expected = compare_images(after, observed);
    let moved = compare_images(observed, &again);
    let place = |found: &Difference| (found.component, found.object.clone(), found.field.clone());
    let moved: BTreeSet<_> = moved.iter().map(place).collect();
    let found = expected.iter().find(|found| moved.contains(&place(found)))?;
    Some(format!("what a step set does not show on the host: {found}"))
}
