//! Which of several coordinators on one database leads: takes agents, follows the repository, drives rollouts.
//!
//! Owns: the task that takes, renews and gives back the lease, and the handle by which others learn whether they lead. Must
//! not: be what safety rests on. Writes carry the epoch ([`LeaseHandle::fence`]), rollouts change by compare-and-set, hosts
//! refuse old generations. Started by the composition root before everything that leads.
//!
//! - A holder writes a new mark into the row every [`RENEW_EVERY`]. One that could not for [`LEASE_LIFE`] stands by.
//! - Who stands by watches the row, and takes the lease when it stood still for [`LEASE_LIFE`] by its own clock, or was given
//!   back. Clocks of different machines are never compared.
//! - A coordinator that starts again takes back what it held before it ended, at once: no other process has its name.

mod candidate;

#[cfg(test)]
mod tests;

use super::{stopped, wall_now};
use crate::store::{Db, StoreError, Tx, leases};
use candidate::Candidate;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Time between two renewals, and between two looks of those who stand by.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long a lease holds without a renewal.
pub const LEASE_LIFE: Duration = Duration::from_secs(8);
/// Longest time of one round with the database; less than what is left of a lease after two rounds.
const ROUND_LIMIT: Duration = Duration::from_secs(3);
/// The one job: agents, repository and rollouts belong together, since orders go out over the agents' streams.
const JOB: &str = "lead";

/// Whether this coordinator leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lead {
    /// Another one does, or nobody yet.
    StandsBy {
        /// Who, as far as it is known.
        holder: Option<String>,
    },
    /// This one does.
    Holds {
        /// Number of this term.
        epoch: u64,
    },
}

impl Lead {
    /// Whether this coordinator leads.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }
}

/// This coordinator stands by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this coordinator stands by, {} leads: ask that one, or try again in a few seconds", holder.as_deref().unwrap_or("none yet"))]
pub struct StandsBy {
    /// Who leads.
    pub holder: Option<String>,
}

/// Whether this coordinator leads; cheap to clone.
#[derive(Debug, Clone)]
pub struct LeaseHandle {
    name: Arc<str>,
    lead: watch::Receiver<Lead>,
    leads: watch::Receiver<bool>,
}

impl LeaseHandle {
    /// Name of this coordinator in the lease.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it stands.
    #[must_use]
    pub fn lead(&self) -> Lead {
        self.lead.borrow().clone()
    }

    /// Follows how it stands.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Lead> {
        self.lead.clone()
    }

    /// Follows whether it leads, for those who need not know who does.
    #[must_use]
    pub fn leads(&self) -> watch::Receiver<bool> {
        self.leads.clone()
    }

    /// Fails while another coordinator leads.
    pub fn check(&self) -> Result<(), StandsBy> {
        match self.lead() {
            Lead::Holds { .. } => Ok(()),
            Lead::StandsBy { holder } => Err(StandsBy { holder }),
        }
    }

    /// Whether this coordinator still leads. `true` holds until the unit of work ends; begin every write of a leader with it.
    pub async fn fence(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        match self.lead() {
            Lead::Holds { epoch } => leases::fence(tx, JOB, epoch).await,
            Lead::StandsBy { .. } => Ok(false),
        }
    }
}

/// The task before it runs: the first round is done, so that who leads is known from the start.
pub struct LeaseTask {
    db: Db,
    candidate: Candidate,
    lead: watch::Sender<Lead>,
    leads: watch::Sender<bool>,
}

impl LeaseTask {
    /// Tries to take the lease under this name, which no other process may have.
    pub async fn begin(db: Db, name: &str) -> (Self, LeaseHandle) {
        let candidate = Candidate::new(name);
        let (lead, receiver) = watch::channel(Lead::StandsBy { holder: None });
        let (leads, leads_receiver) = watch::channel(false);
        let mut task = Self { db, candidate, lead, leads };
        task.round().await;
        (task, LeaseHandle { name: Arc::from(name), lead: receiver, leads: leads_receiver })
    }

    /// Goes on until `stop` turns true, then gives the lease back.
    #[must_use]
    pub fn spawn(mut self, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut rounds = interval_at(Instant::now() + RENEW_EVERY, RENEW_EVERY);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = stopped(&mut stop) => break,
                    _ = rounds.tick() => self.round().await,
                }
            }
            if let Err(error) = self.give_back().await {
                tracing::warn!(%error, "the lease was not given back; it runs out by itself");
            }
        })
    }

    async fn round(&mut self) {
        let began = Instant::now();
        let until = wall_now().plus(model::Millis(u64::try_from(LEASE_LIFE.as_millis()).unwrap_or(u64::MAX)));
        let round = tokio::time::timeout(ROUND_LIMIT, self.candidate.round(&self.db, began, until)).await;
        let lead = match round {
            Ok(Ok(lead)) => lead,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease was not renewed or looked at; trying again");
                self.candidate.without_database(Instant::now())
            }
            Err(_) => {
                tracing::warn!(limit = ?ROUND_LIMIT, "the database does not answer in time; the lease was not renewed");
                self.candidate.without_database(Instant::now())
            }
        };
        self.tell(lead);
    }

    fn tell(&self, lead: Lead) {
        let leads = lead.holds();
        self.lead.send_if_modified(|known| {
            let moved = *known != lead;
            if moved {
                tracing::info!(old = ?known, new = ?lead, "who leads has changed");
                *known = lead;
            }
            moved
        });
        self.leads.send_if_modified(|known| std::mem::replace(known, leads) != leads);
    }

    async fn give_back(&mut self) -> Result<(), StoreError> {
        let Lead::Holds { epoch } = *self.lead.borrow() else { return Ok(()) };
        self.tell(Lead::StandsBy { holder: None });
        let mut tx = self.db.begin().await?;
        leases::release(&mut tx, JOB, epoch).await?;
        tx.commit().await
    }
}
