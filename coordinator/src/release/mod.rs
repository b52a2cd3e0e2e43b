//! Approval of a change: who has to sign its release, who has, and what each host is sent as proof.
//!
//! Owns: the judgement of stored signatures against the newest approver sets, and the proof beside an order. Must not: send
//! anything or move a rollout. Called by the rollout driver (may it begin, what goes out) and by the API (who has approved).
//!
//! This judgement only keeps the coordinator from sending what hosts would refuse. The one that counts is made on each host,
//! by the same code of `engine::proof`, against the set that a person pinned there.

mod signer;
mod standing;

#[cfg(test)]
pub mod testkit;
#[cfg(test)]
mod tests;

pub use signer::{Signed, SignerError, signed_by};
pub use standing::{SetStanding, Standing};

use crate::fleet::OfferedOrder;
use crate::people::{Authorship, Identity};
use crate::store::approvals::{self, ApprovalRecord};
use crate::store::approvers::{self, ApproverSetRecord};
use crate::store::releases::{self, LeafRecord, ReleaseRecord};
use crate::store::{Db, StoreError, changes, rfcs};
use crate::trust::{OrderKey, TrustError};
use model::{ChangeId, ReleaseProof, SIGNATURES_MAX, Wall};

/// The release of a change with everything known of its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// As it is stored.
    pub record: ReleaseRecord,
    /// Who has approved, set by set.
    pub standing: Standing,
    /// Every signature that came, also those that count no more.
    pub approvals: Vec<ApprovalRecord>,
    sets: Vec<ApproverSetRecord>,
}

/// Who wrote a change: they do not approve it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authors(Vec<String>);

impl Authors {
    /// The author of the commit as `Name <e-mail>`, and those that the RFC names.
    #[must_use]
    pub fn new(commit: &str, rfc: &[String]) -> Self {
        let (name, email) = commit.split_once('<').map_or((commit, ""), |(name, rest)| (name, rest));
        let words = [name.trim(), email.trim_end_matches('>').trim()];
        let rfc = rfc.iter().map(|author| author.trim());
        Self(words.into_iter().chain(rfc).filter(|word| !word.is_empty()).map(str::to_lowercase).collect())
    }

    /// Whether this person is one of them.
    #[must_use]
    pub fn include(&self, approver: &model::Approver) -> bool {
        let own = [Some(&approver.name), approver.email.as_ref()];
        own.into_iter().flatten().any(|own| self.0.contains(&own.trim().to_lowercase()))
    }

    /// Whether whoever asks is one of them, as far as mail addresses tell.
    #[must_use]
    pub fn wrote(&self, who: &Identity) -> bool {
        self.0.iter().any(|author| who.authorship(author) == Authorship::Same)
    }
}

/// Reads the release of a change and judges its signatures; `None` for a change that touches no host.
pub async fn read(db: &Db, change: &ChangeId, now: Wall) -> Result<Option<Release>, StoreError> {
    let Some(record) = releases::get(db, change).await? else { return Ok(None) };
    let sets = approvers::newest(db).await?;
    if sets.is_empty() {
        let standing = Standing::default();
        return Ok(Some(Release { record, standing, approvals: Vec::new(), sets }));
    }
    let approvals = approvals::of_change(db, change).await?;
    let groups = releases::groups(db, change).await?;
    let authors = authors_of(db, change).await?;
    let case = standing::Case { record: &record, sets: &sets, groups: &groups, authors: &authors, now };
    let standing = standing::judge(&case, &approvals);
    Ok(Some(Release { record, standing, approvals, sets }))
}

/// Who wrote a change.
pub async fn authors_of(db: &Db, change: &ChangeId) -> Result<Authors, StoreError> {
    let Some(record) = changes::get(db, change).await? else { return Ok(Authors::default()) };
    let rfc = match record.rfc {
        Some(number) => rfcs::get(db, number).await?,
        None => None,
    };
    let named = rfc.map(|rfc| rfc.document.authors).unwrap_or_default();
    Ok(Authors::new(&record.author, &named))
}

impl Release {
    /// An order as it goes out: the stored text, and what proves it.
    pub fn offer(&self, leaf: LeafRecord, key: &OrderKey) -> Result<OfferedOrder, TrustError> {
        let LeafRecord { host: _, group, order, parent, wave, leaf_index, path } = leaf;
        let order_json = order.into_bytes();
        let manifest = self.record.manifest.clone().into_bytes();
        let coordinator_signature = key.sign(&order_json, &manifest)?;
        let set = approvers::for_group(&self.sets, group.as_ref());
        let standing = set.and_then(|set| self.standing.of(&set.set.name));
        let signatures = standing.map(|standing| standing.signatures.clone()).unwrap_or_default();
        let signatures = signatures.into_iter().take(SIGNATURES_MAX).collect();
        let proof =
            ReleaseProof { manifest, signatures, parent, wave, leaf_index, path, coordinator_signature };
        Ok(OfferedOrder { order_json, proof: Some(proof) })
    }

    /// The sets that have to be satisfied.
    pub fn sets(&self) -> impl Iterator<Item = &ApproverSetRecord> {
        self.sets.iter().filter(|record| self.standing.of(&record.set.name).is_some())
    }
}
