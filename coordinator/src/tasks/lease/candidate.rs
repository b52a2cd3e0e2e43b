//! One coordinator's view of the lease: what it holds, what it saw, and since when.
//!
//! Must not read a clock: times are given. Called by the lease task, a round at a time.

use super::{JOB, LEASE_LIFE, Lead};
use crate::store::leases::{self, LeaseRecord};
use crate::store::{Db, StoreError};
use model::Wall;
use tokio::time::Instant;

/// A coordinator that leads or wants to.
#[derive(Debug)]
pub(super) struct Candidate {
    name: String,
    /// The term it holds, and when the last renewal that came through began.
    held: Option<(u64, Instant)>,
    /// The last term it held or tried to take: its own, also when the answer of the database was lost.
    own: Option<u64>,
    /// Nothing was seen yet: a term in its name is from its last run.
    fresh: bool,
    /// The row as it is, and since when it stands still.
    seen: Option<(LeaseRecord, Instant)>,
}

impl Candidate {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), held: None, own: None, fresh: true, seen: None }
    }

    /// One round: renews, or looks and perhaps takes. `until` is the new mark.
    pub(super) async fn round(&mut self, db: &Db, now: Instant, until: Wall) -> Result<Lead, StoreError> {
        if let Some((epoch, _)) = self.held {
            let mut tx = db.begin().await?;
            if leases::renew(&mut tx, JOB, epoch, until).await? {
                tx.commit().await?;
                self.held = Some((epoch, now));
                return Ok(Lead::Holds { epoch });
            }
            tx.cancel().await;
            self.held = None;
            self.own = None;
        }
        let found = leases::get(db, JOB).await?;
        if !self.may_take(found.as_ref(), now) {
            return Ok(Lead::StandsBy { holder: found.map(|lease| lease.holder) });
        }
        self.own = Some(found.as_ref().map_or(1, |lease| lease.epoch.saturating_add(1)));
        let mut tx = db.begin().await?;
        let taken = leases::take(&mut tx, JOB, &self.name, found.as_ref(), until).await?;
        tx.commit().await?;
        match taken {
            Some(epoch) => {
                self.held = Some((epoch, now));
                Ok(Lead::Holds { epoch })
            }
            None => Ok(Lead::StandsBy { holder: found.map(|lease| lease.holder) }),
        }
    }

    /// A round failed: what it holds, it holds until the lease could have been taken.
    pub(super) fn without_database(&mut self, now: Instant) -> Lead {
        match self.held {
            Some((epoch, renewed)) if now.duration_since(renewed) < LEASE_LIFE => Lead::Holds { epoch },
            _ => {
                self.held = None;
                Lead::StandsBy { holder: None }
            }
        }
    }

    fn may_take(&mut self, found: Option<&LeaseRecord>, now: Instant) -> bool {
        let fresh = std::mem::replace(&mut self.fresh, false);
        let Some(lease) = found else { return true };
        let own = lease.holder == self.name && (fresh || self.own == Some(lease.epoch));
        let since = match &self.seen {
            Some((seen, since)) if seen == lease => *since,
            _ => now,
        };
        self.seen = Some((lease.clone(), since));
        own || lease.mark == 0 || now.duration_since(since) >= LEASE_LIFE
    }
}
