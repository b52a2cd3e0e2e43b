//! Whether an order that arrived may be believed: the coordinator's signature first, then the approvers'.
//!
//! Owns: what is pinned, as read, and the verdict that goes to the apply machine. Must not: decide about a
//! change. Called by the event loop, before anything of an order is parsed.

pub mod pins;

use crate::settings::Settings;
use engine::apply::{Approval, UnreadableOrder, read_order};
use engine::proof::{ORDER_KEY_BYTES, Proven, TrustedSet, check, check_order_signature};
use model::{ApprovalMode, ApproverRotation, Order, ReleaseProof, Unproven, UnprovenKind, Wall};
use pins::{Replace, pin_file, pin_set, read_order_key, read_set};
use proto::convert::{OfferedOrder, SetAck};
use std::path::{Path, PathBuf};

/// What to do about a host without a set.
pub const HOW_TO_PIN: &str = "pin one at the console with `pointsman-agent approvers pin FILE`";

/// The judge of orders.
#[derive(Debug)]
pub struct Gatekeeper {
    dir: PathBuf,
    mode: ApprovalMode,
    set: Result<Option<TrustedSet>, String>,
    order_key: Result<Option<[u8; ORDER_KEY_BYTES]>, String>,
}

impl Gatekeeper {
    /// Reads what is pinned; at the very first start the set of the settings is pinned.
    #[must_use]
    pub fn begin(settings: &Settings) -> Self {
        if let Some(file) = &settings.approvers_file {
            pin_first(&settings.state_dir, file);
        }
        let mut keeper = Self {
            dir: settings.state_dir.clone(),
            mode: settings.approval,
            set: Ok(None),
            order_key: Ok(None),
        };
        keeper.read_again();
        match (&keeper.set, keeper.mode) {
            (Err(detail), _) => tracing::error!(detail, "the approver set cannot be used"),
            (Ok(None), ApprovalMode::Enforce) => {
                tracing::warn!("no approver set is pinned: every order is refused; {HOW_TO_PIN}");
            }
            (Ok(_), ApprovalMode::Enforce | ApprovalMode::Warn | ApprovalMode::Off) => {}
        }
        keeper
    }

    /// Reads the files again: a person may have pinned another set.
    pub fn read_again(&mut self) {
        self.set = read_set(&self.dir).map_err(|error| chain(&error));
        self.order_key = read_order_key(&self.dir).map_err(|error| chain(&error));
    }

    /// What this host does with an order that is not proven.
    #[must_use]
    pub fn mode(&self) -> ApprovalMode {
        self.mode
    }

    /// Version of the pinned set; 0 for none.
    #[must_use]
    pub fn set_version(&self) -> u64 {
        self.set.as_ref().ok().and_then(Option::as_ref).map_or(0, |set| set.set().version)
    }

    /// Reads an order whose bytes the coordinator signed, and judges its proof.
    pub fn judge(
        &self,
        offered: &OfferedOrder,
        now: Wall,
    ) -> Result<(Box<Order>, Approval), UnreadableOrder> {
        let OfferedOrder { order_json, proof } = offered;
        self.check_sender(order_json, proof.as_ref())
            .map_err(|unproven| UnreadableOrder::unproven(order_json, unproven))?;
        let order = Box::new(read_order(order_json)?);
        let approval = match self.mode {
            ApprovalMode::Off => Approval::Unchecked,
            ApprovalMode::Enforce => {
                Approval::Enforced(self.check_proof(order_json, &order, proof.as_ref(), now))
            }
            ApprovalMode::Warn => Approval::Warned(self.check_proof(order_json, &order, proof.as_ref(), now)),
        };
        Ok((order, approval))
    }

    fn check_sender(&self, order_json: &[u8], proof: Option<&ReleaseProof>) -> Result<(), Unproven> {
        match &self.order_key {
            Ok(None) => Ok(()),
            Ok(Some(key)) => check_order_signature(key, order_json, proof),
            Err(detail) => Err(Unproven { kind: UnprovenKind::CoordinatorSignature, detail: detail.clone() }),
        }
    }

    fn check_proof(
        &self,
        order_json: &[u8],
        order: &Order,
        proof: Option<&ReleaseProof>,
        now: Wall,
    ) -> Result<Proven, Unproven> {
        let lacking = |kind, detail: String| Unproven { kind, detail };
        let set = match &self.set {
            Ok(Some(set)) => set,
            Ok(None) => {
                let detail = format!("this host has no approver set: {HOW_TO_PIN}");
                return Err(lacking(UnprovenKind::NoApproverSet, detail));
            }
            Err(detail) => return Err(lacking(UnprovenKind::NoApproverSet, detail.clone())),
        };
        let none = || lacking(UnprovenKind::ProofMissing, "the order came without a proof".to_owned());
        check(set, order_json, order, proof.ok_or_else(none)?, now)
    }

    /// Takes a newer set when the pinned one and the new one agree; tells what is held afterwards.
    pub fn rotate(&mut self, rotation: &ApproverRotation, now: Wall) -> SetAck {
        self.read_again();
        let refused = self.try_rotate(rotation, now).err();
        match &refused {
            Some(refused) => tracing::error!(refused, "an approver set was refused"),
            None => tracing::warn!(version = self.set_version(), "another approver set is pinned"),
        }
        SetAck { version: self.set_version(), refused }
    }

    fn try_rotate(&mut self, rotation: &ApproverRotation, now: Wall) -> Result<(), String> {
        let Some(held) = self.set.as_ref().map_err(String::clone)? else {
            return Err(format!("this host has no approver set to begin with: {HOW_TO_PIN}"));
        };
        let new = held.rotate(rotation, now).map_err(|error| chain(&error))?;
        let offered = Path::new("the offered set");
        pin_set(&self.dir, offered, rotation.set.as_bytes(), Replace::Yes).map_err(|error| chain(&error))?;
        self.set = Ok(Some(new));
        Ok(())
    }
}

/// The error and all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Only when nothing is pinned: afterwards the file of the settings does not count any more.
fn pin_first(dir: &Path, file: &Path) {
    match read_set(dir) {
        Ok(None) => match pin_file(dir, file, Replace::No) {
            Ok(set) => {
                tracing::warn!(
                    version = set.set().version,
                    name = set.set().name,
                    "first approver set pinned"
                );
            }
            Err(error) => tracing::error!(error = chain(&error), "the first approver set is not pinned"),
        },
        Ok(Some(_)) => {}
        Err(error) => tracing::error!(error = chain(&error), "the approver set cannot be read"),
    }
}

#[cfg(test)]
mod tests;
