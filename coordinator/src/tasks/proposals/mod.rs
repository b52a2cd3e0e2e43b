//! Proposals: what would become of the fleet if a branch or a pull request were merged now.
//!
//! Owns: the review of a merge result against what hosts look like. Must not: accept, refuse or store a change; the main branch
//! alone does that. Called by the API (`pointsman review BRANCH`) and by the task that follows pull requests.

#[cfg(test)]
mod tests;

use super::repo_sync::{MergeResult, MirrorThread, Proposal, ProposalError, base_of, fleet_view};
use super::review::{self, Material, Review, Scope, UNREADABLE_COMMIT};
use super::{day_of, wall_now};
use crate::review::{ReviewFacts, Subject, Verdict, gather};
use crate::store::{Db, StoreError};
use engine::resolve::ResolvedHost;
use model::{Component, Finding, HostId};
use std::collections::{BTreeMap, BTreeSet};

/// Why a proposal was not reviewed.
#[derive(Debug, thiserror::Error)]
pub enum ReviewProposalError {
    /// The remote has no such branch or pull request.
    #[error("{0}")]
    NoRef(String),
    /// The repository cannot be read now.
    #[error("{0}")]
    Repository(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work itself.
    #[error("the review did not end: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Reviews proposals; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reviewer {
    db: Db,
    mirror: MirrorThread,
}

impl Reviewer {
    /// On this database and mirror.
    #[must_use]
    pub fn new(db: Db, mirror: MirrorThread) -> Self {
        Self { db, mirror }
    }

    /// The mirror it reads.
    #[must_use]
    pub fn mirror(&self) -> &MirrorThread {
        &self.mirror
    }

    /// Reviews what is at `reference`, which people call `name`.
    ///
    /// # Errors
    /// When it cannot be looked at now. What is wrong with it is in the facts.
    pub async fn review(&self, name: &str, reference: String) -> Result<ReviewFacts, ReviewProposalError> {
        let base = base_of(&self.db).await?;
        let mut subject = Subject { name: name.to_owned(), head: None, main: None };
        let proposal = match self.mirror.propose(reference, base).await {
            Ok(proposal) => proposal,
            Err(ProposalError::NoRef(text)) => return Err(ReviewProposalError::NoRef(text)),
            Err(ProposalError::Failed(text)) => return Err(ReviewProposalError::Repository(text)),
            Err(ProposalError::Refused(text)) => {
                let finding = Finding::error(UNREADABLE_COMMIT, Component::Repository, text);
                return Ok(refused(subject, Verdict::Unreadable, &[finding]));
            }
        };
        let Proposal { head, main, result } = proposal;
        (subject.head, subject.main) = (Some(head.to_string()), Some(main.to_string()));
        match result {
            MergeResult::Clean { merged, branch } => self.plan(subject, *merged, *branch).await,
            MergeResult::Contained => Ok(ReviewFacts::bare(subject, Verdict::Contained)),
            MergeResult::Conflicts { paths, count } => Ok(ReviewFacts {
                conflicts: paths,
                conflict_count: count,
                ..ReviewFacts::bare(subject, Verdict::Conflict)
            }),
        }
    }

    async fn plan(
        &self,
        subject: Subject,
        material: Material,
        branch: Material,
    ) -> Result<ReviewFacts, ReviewProposalError> {
        let today = day_of(wall_now());
        let fleet = fleet_view(&self.db).await?;
        let work = move || {
            let documents = review::read(&material, &today);
            if documents.findings.iter().any(Finding::is_error) {
                return refused(subject, Verdict::Refused, &documents.findings);
            }
            let before = review::read(&branch, &today).hosts;
            let same = |host: &HostId, now: &ResolvedHost| {
                before.get(host).is_some_and(|before| before.desired == now.desired)
            };
            let untouched: BTreeSet<HostId> = documents
                .hosts
                .iter()
                .filter(|(host, now)| same(host, now))
                .map(|(host, _)| host.clone())
                .collect();
            let review = review::review(documents, &material, &fleet, &Scope::Commit);
            gather(subject, &review, &fleet, &untouched)
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}

/// Facts of a proposal whose documents are wrong: nothing is planned.
fn refused(subject: Subject, verdict: Verdict, findings: &[Finding]) -> ReviewFacts {
    let nothing = Review { findings: findings.to_vec(), ..Review::nothing() };
    let facts = gather(subject, &nothing, &BTreeMap::new(), &BTreeSet::new());
    ReviewFacts { verdict, ..facts }
}
