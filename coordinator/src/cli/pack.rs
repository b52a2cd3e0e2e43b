//! A pack: what approvers sign of one change, with everything behind it, in one file that needs no coordinator.
//!
//! Owns: the file's form, and the check that it adds up: each order is one of the release, each plan is the one that its order
//! names. Must not: believe what a coordinator says beside the signed bytes. Called by `approve` and `verify`.

use super::failure::CliError;
use super::findings::plural;
use super::screen::{Screen, printable};
use super::time::stamp;
use crate::api::views::{ReleasePartView, StepView};
use engine::plan::digest;
use engine::release::{Part, seal};
use model::{Disruption, HostId, Order, PlanDigest, RELEASE_FORMAT, ReleaseManifest, Step};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Format of the file that this release reads and writes.
const PACK_FORMAT: u32 = 1;
/// Hosts of a class that are named.
const NAMED_MAX: usize = 6;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// [`PACK_FORMAT`].
    pub format: u32,
    /// The exact text that is signed.
    pub manifest: String,
    /// Armoured signatures over it.
    pub signatures: Vec<String>,
    /// Every host's part.
    pub parts: Vec<ReleasePartView>,
}

/// Hosts that get the same steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Class {
    /// The hosts.
    pub hosts: Vec<HostId>,
    /// Worst effect on their traffic.
    pub disruption: Disruption,
    /// The steps.
    pub steps: Vec<StepView>,
}

/// A pack that adds up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What is signed, parsed.
    pub manifest: ReleaseManifest,
    /// Worst effect on traffic of any plan.
    pub disruption: Disruption,
    /// Worst effect that the orders allow.
    pub disruption_allowed: Disruption,
    /// Hosts per wave, the canary first.
    pub waves: Vec<usize>,
    /// Plans, the most common first.
    pub classes: Vec<Class>,
}

impl Pack {
    /// A pack of these.
    pub fn new(manifest: String, signatures: Vec<String>, parts: Vec<ReleasePartView>) -> Self {
        Self { format: PACK_FORMAT, manifest, signatures, parts }
    }

    /// Builds everything anew from the orders and compares; says the first thing that does not add up.
    pub fn check(&self) -> Result<Checked, CliError> {
        if self.format != PACK_FORMAT {
            return Err(wrong(format!("has format {}, this release reads {PACK_FORMAT}", self.format)));
        }
        let manifest: ReleaseManifest = serde_json::from_str(&self.manifest)
            .map_err(|error| wrong(format!("has a manifest that is not understood: {error}")))?;
        if manifest.format != RELEASE_FORMAT {
            return Err(wrong(format!("has a manifest of format {}", manifest.format)));
        }
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut classes: BTreeMap<PlanDigest, (Vec<HostId>, &[Step])> = BTreeMap::new();
        let mut waves = vec![0_usize; manifest.wave_delays_secs.len()];
        let (mut disruption, mut disruption_allowed) = (Disruption::None, Disruption::None);
        for part in &self.parts {
            let order = check_part(part, &manifest)?;
            disruption = part.steps.iter().map(|step| step.disruption).fold(disruption, Disruption::max);
            disruption_allowed = disruption_allowed.max(order.disruption_allowed);
            let wave = usize::try_from(part.wave).ok().and_then(|wave| waves.get_mut(wave));
            *wave.ok_or_else(|| wrong(format!("puts {} into a wave that is not signed", part.host)))? += 1;
            classes.entry(order.plan_digest).or_insert((Vec::new(), &part.steps)).0.push(order.host);
            let (order, parent, wave) = (part.order.clone().into_bytes(), part.parent, part.wave);
            parts.push(Part { order, parent, wave });
        }
        let sealed = seal(&parts).map_err(|error| wrong(error.to_string()))?;
        if sealed.root != manifest.root || u32::try_from(parts.len()) != Ok(manifest.hosts) {
            return Err(wrong("holds orders that are not those of the manifest".to_owned()));
        }
        let mut classes: Vec<Class> = classes.into_values().map(class).collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class.hosts.len()));
        Ok(Checked { manifest, disruption, disruption_allowed, waves, classes })
    }
}

fn wrong(what: String) -> CliError {
    CliError::Failed(format!("the release does not add up, do not sign it: it {what}"))
}

fn check_part(part: &ReleasePartView, manifest: &ReleaseManifest) -> Result<Order, CliError> {
    let host = &part.host;
    let order: Order = serde_json::from_str(&part.order)
        .map_err(|error| wrong(format!("has an order for {host} that is not understood: {error}")))?;
    if order.host != *host {
        return Err(wrong(format!("gives {host} an order for {}", order.host)));
    }
    if order.change != manifest.change || order.commit != manifest.commit {
        return Err(wrong(format!("has an order for {host} of another change")));
    }
    if digest(&part.steps) != order.plan_digest {
        return Err(wrong(format!("shows steps for {host} that are not those of its order")));
    }
    Ok(order)
}

fn class((hosts, steps): (Vec<HostId>, &[Step])) -> Class {
    let disruption = steps.iter().map(|step| step.disruption).max().unwrap_or(Disruption::None);
    Class { hosts, disruption, steps: steps.iter().map(StepView::from).collect() }
}

impl Checked {
    /// Prints it for a person who decides.
    pub fn print(&self, screen: &mut Screen<'_>) -> Result<(), CliError> {
        let ReleaseManifest { repository, change, rfc, commit, hosts, not_before, not_after, .. } =
            &self.manifest;
        let rfc = rfc.map(|rfc| format!("{rfc}, ")).unwrap_or_default();
        screen.line(format_args!("{rfc}change {change}"))?;
        screen.line(format_args!("commit {} of {}", printable(commit), printable(repository)))?;
        screen.line(format_args!("holds from {} to {}", stamp(*not_before), stamp(*not_after)))?;
        let waves: Vec<String> = self.waves.iter().map(ToString::to_string).collect();
        screen.line(format_args!(
            "{} in {}: {}",
            plural(usize::try_from(*hosts).unwrap_or(usize::MAX), "host"),
            plural(self.waves.len(), "wave"),
            waves.join(", ")
        ))?;
        screen.line(format_args!(
            "worst effect on traffic: {}, allowed: {}",
            self.disruption, self.disruption_allowed
        ))?;
        for class in &self.classes {
            class.print(screen)?;
        }
        Ok(())
    }
}

impl Class {
    fn print(&self, screen: &mut Screen<'_>) -> Result<(), CliError> {
        let named: Vec<&str> = self.hosts.iter().take(NAMED_MAX).map(HostId::as_str).collect();
        let more = match self.hosts.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        screen.line("")?;
        screen.line(format_args!(
            "{}{more}: {}, worst effect on traffic: {}",
            named.join(", "),
            plural(self.steps.len(), "step"),
            self.disruption
        ))?;
        for (number, step) in self.steps.iter().enumerate() {
            screen.line(format_args!("  {:>3}. {}", number + 1, printable(&step.esxcli)))?;
        }
        Ok(())
    }
}
