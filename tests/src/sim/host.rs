//! One simulated ESXi host: the simulator behind the product's own grammar, with calls that go wrong.
//!
//! Owns: what a call does to the host and what it answers. Must not decide when; `process` and `crash` do. Most readings
//! take the simulator's own description, which is some hundred times cheaper; a share of them goes through the real
//! command lines and parsers and must come to the same.

use super::image::Image;
use super::rng::Rng;
use crate::host::observe;
use engine::apply::StepResult;
use engine::verify::compare_images;
use esxcli::{FailureKind, Formatter, classify};
use model::{Known, ObservedNetwork, Operation, Probe, ProbeResult, ProbeVerdict, Wall};
use simulator::Host;
use simulator::fabric::{Fragment, Ping, Reach, can_ping, management_reachable};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// It answers an error and did nothing.
    FailBefore,
    /// It answers an error and did its work.
    FailAfter,
    /// It answers well and did nothing.
    NotApplied,
    /// It does not answer within the limit and did nothing.
    HangBefore,
    /// It does not answer within the limit and did its work.
    HangAfter,
}

impl CallFault {
    /// Every way in which a changing call can go wrong.
    pub const ALL: [Self; 5] =
        [Self::FailBefore, Self::FailAfter, Self::NotApplied, Self::HangBefore, Self::HangAfter];

    /// Whether the caller gives up waiting.
    #[must_use]
    pub fn hangs(self) -> bool {
        matches!(self, Self::HangBefore | Self::HangAfter)
    }

    fn works(this: Option<Self>) -> bool {
        matches!(this, None | Some(Self::FailAfter | Self::HangAfter))
    }
}

/// By which way a host is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The simulator describes itself.
    Direct,
    /// Command lines and parsers of the product.
    Grammar,
}

/// Runs one changing call as the agent does.
pub fn run(host: &mut Host, operation: &Operation, fault: Option<CallFault>) -> StepResult {
    let argv = match esxcli::argv(operation) {
        Ok(argv) => argv,
        Err(error) => return StepResult::Failed { detail: error.to_string() },
    };
    let output = if CallFault::works(fault) { Some(host.run(&argv)) } else { None };
    let failed =
        |detail: &str| StepResult::Failed { detail: format!("{}: {detail}", esxcli::display(&argv)) };
    match fault {
        Some(CallFault::FailBefore | CallFault::FailAfter) => return failed("the simulation says so"),
        Some(CallFault::HangBefore | CallFault::HangAfter) => return failed("no answer within the limit"),
        Some(CallFault::NotApplied) | None => {}
    }
    let Some(output) = output else { return StepResult::Done };
    let Some(failure) = classify(Some(output.exit_code), &output.stdout, &output.stderr) else {
        return StepResult::Done;
    };
    let detail = format!("{}: {failure}", esxcli::display(&argv));
    match failure.kind {
        FailureKind::AlreadySo => StepResult::AlreadySo { detail },
        FailureKind::NotFound if operation.removes() => StepResult::AlreadySo { detail },
        _ => StepResult::Failed { detail },
    }
}

/// Reads a host.
///
/// # Errors
/// When it cannot be described, or when both ways of reading it do not agree.
pub fn read(host: &mut Host, reading: Reading, wall: Wall) -> Result<ObservedNetwork, String> {
    let described = host.describe(wall).map_err(|error| error.to_string())?;
    if reading == Reading::Direct {
        return Ok(described);
    }
    let (mut observed, _) = observe(host, Formatter::Json).map_err(|error| error.to_string())?;
    let differences = compare_images(&described, &observed);
    if let Some(first) = differences.first() {
        return Err(format!("READINGS DIFFER: {first}"));
    }
    observed.taken_at = wall;
    observed.facts.boot_id = described.facts.boot_id;
    observed.management_vmk = described.management_vmk;
    Ok(observed)
}

/// Some part of a reading could not be read.
pub fn spoil(observed: &mut ObservedNetwork, rng: &mut Rng) {
    let reason = "the simulation says so";
    let groups = observed.port_groups.read_mut();
    match (rng.below(7), groups) {
        (0, _) => observed.port_groups = Known::unreadable(reason),
        (1, _) => observed.netstacks = Known::unreadable(reason),
        (2, _) => observed.nics = Known::unreadable(reason),
        (3, Some(groups)) => {
            groups.values_mut().for_each(|group| group.teaming = Known::unreadable(reason));
        }
        (4, _) => {
            let all = observed.vswitches.read_mut().into_iter().flat_map(|all| all.values_mut());
            all.for_each(|vswitch| vswitch.uplinks = Known::unreadable(reason));
        }
        (5, _) => {
            let all = observed.vmkernels.read_mut().into_iter().flat_map(|all| all.values_mut());
            all.for_each(|vmk| vmk.ipv4 = Known::unreadable(reason));
        }
        _ => observed.vmkernels = Known::unreadable(reason),
    }
}

/// Asks the network around the host.
#[must_use]
pub fn probe(host: &Host, probes: Vec<Probe>) -> Vec<ProbeResult> {
    let ask = |probe: Probe| {
        let fragment = if probe.size.is_some() { Fragment::Never } else { Fragment::Allowed };
        let size = u32::from(probe.size.unwrap_or(56));
        let ping = Ping { vmk: probe.vmk.to_string(), target: probe.target, size, fragment };
        let verdict = match can_ping(host, &host.fabric, &ping) {
            Reach::Ok => ProbeVerdict::Pass,
            Reach::Cut { reason } => ProbeVerdict::Fail { detail: reason },
        };
        ProbeResult { probe, verdict }
    };
    probes.into_iter().map(ask).collect()
}

/// Whether the host's way to its coordinators works.
#[must_use]
pub fn is_reachable(host: &Host) -> bool {
    management_reachable(host, &host.fabric) == Reach::Ok
}

/// What the host's configuration is when these calls were all done, by the simulator alone.
#[must_use]
pub fn after<'a>(host: &Host, operations: impl Iterator<Item = &'a Operation>) -> Image {
    let mut trial = host.clone();
    for operation in operations {
        run(&mut trial, operation, None);
    }
    Image::running(&trial)
}
