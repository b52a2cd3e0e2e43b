//! What operators decide about identities: approve or deny a request, revoke, quarantine, release. Each is one unit of
//! work with its audit entry. Must not check who the operator is. Called by the API.

use crate::store::audit::{self, AuditEntry};
use crate::store::hosts::HostStatus;
use crate::store::identities::{self, Binding, EnrolmentRequest, RequestSource, RequestStatus};
use crate::store::{Db, StoreError};
use crate::tasks::wall_now;
use model::{HostId, KeyFingerprint};
use serde_json::{Value, json};

/// Who decides, and why.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    /// Who, e.g. `user:ann`.
    pub actor: &'a str,
    /// Why; may be empty for an approval.
    pub reason: &'a str,
}

/// Why a decision was not possible.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// Nobody asks.
    #[error("{host} has no open request: it must ask with a token first, see `pointsman host pending`")]
    NoRequest {
        /// The host.
        host: HostId,
    },
    /// Somebody else asks than the operator thinks.
    #[error("the key of {host} is {found}, not {wanted}: do not approve it before you know why")]
    OtherKey {
        /// The host.
        host: HostId,
        /// The key that asks.
        found: KeyFingerprint,
        /// The key that was named.
        wanted: KeyFingerprint,
    },
    /// There is no such host.
    #[error("there is no host {host}")]
    NoHost {
        /// The host.
        host: HostId,
    },
    /// The host is something else than the verb needs.
    #[error("{host} is {}, so it cannot be {verb}", status.as_str())]
    NotPossible {
        /// The host.
        host: HostId,
        /// What it is.
        status: HostStatus,
        /// What was wanted.
        verb: &'static str,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What can be done with a host that has an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It does not get in any more.
    Revoke,
    /// It does not get in until it is released.
    Quarantine,
    /// Out of quarantine: it may be on another machine, and its next count of recoveries is taken as it comes.
    Release,
}

impl Verb {
    /// What it has done to a host.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Revoke => "revoked",
            Self::Quarantine => "quarantined",
            Self::Release => "released",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Revoke => "host.revoked",
            Self::Quarantine => "host.quarantined",
            Self::Release => "host.released",
        }
    }

    fn fits(self, status: HostStatus) -> bool {
        match self {
            Self::Revoke => matches!(status, HostStatus::Enrolled | HostStatus::Quarantined),
            Self::Quarantine => status == HostStatus::Enrolled,
            Self::Release => status == HostStatus::Quarantined,
        }
    }
}

fn entry(by: Decider<'_>, host: &HostId, action: &str, detail: Value) -> AuditEntry {
    AuditEntry {
        at: wall_now(),
        actor: by.actor.to_owned(),
        action: action.to_owned(),
        subject: format!("host/{host}"),
        detail,
    }
}

async fn open_request(
    db: &Db,
    host: &HostId,
    fingerprint: Option<&KeyFingerprint>,
) -> Result<EnrolmentRequest, DecideError> {
    let request = identities::request(db, host).await?;
    let request = request
        .filter(|request| request.status == RequestStatus::Pending && request.expires > wall_now())
        .ok_or_else(|| DecideError::NoRequest { host: host.clone() })?;
    match fingerprint {
        Some(wanted) if *wanted != request.key => {
            Err(DecideError::OtherKey { host: host.clone(), found: request.key, wanted: wanted.clone() })
        }
        Some(_) | None => Ok(request),
    }
}

/// Lets a host in that waits; with a fingerprint only when its key is that one.
pub async fn approve(
    db: &Db,
    host: &HostId,
    fingerprint: Option<&KeyFingerprint>,
    by: Decider<'_>,
) -> Result<KeyFingerprint, DecideError> {
    let request = open_request(db, host, fingerprint).await?;
    let key = request.key;
    let mut tx = db.begin().await?;
    if !identities::decide(&mut tx, host, &key, RequestStatus::Approved).await? {
        tx.cancel().await;
        return Err(DecideError::NoRequest { host: host.clone() });
    }
    if request.source == RequestSource::Certificate {
        // It has its certificate already and does not ask again.
        let binding = Binding { host, key: &key, system_uuid: None, group: None };
        identities::bind(&mut tx, &binding, wall_now()).await?;
        identities::drop_request(&mut tx, host).await?;
    }
    let detail = json!({ "key": key, "source": request.source, "compared": fingerprint.is_some(), "reason": by.reason });
    audit::append(&mut tx, &entry(by, host, "host.approved", detail)).await?;
    tx.commit().await?;
    Ok(key)
}

/// Refuses a host that waits.
pub async fn deny(db: &Db, host: &HostId, by: Decider<'_>) -> Result<KeyFingerprint, DecideError> {
    let request = open_request(db, host, None).await?;
    let mut tx = db.begin().await?;
    if !identities::decide(&mut tx, host, &request.key, RequestStatus::Denied).await? {
        tx.cancel().await;
        return Err(DecideError::NoRequest { host: host.clone() });
    }
    let detail = json!({ "key": request.key, "reason": by.reason });
    audit::append(&mut tx, &entry(by, host, "host.denied", detail)).await?;
    tx.commit().await?;
    Ok(request.key)
}

/// Revokes, quarantines or releases a host.
pub async fn act(db: &Db, host: &HostId, verb: Verb, by: Decider<'_>) -> Result<(), DecideError> {
    let identity =
        identities::get(db, host).await?.ok_or_else(|| DecideError::NoHost { host: host.clone() })?;
    if !verb.fits(identity.status) {
        return Err(DecideError::NotPossible {
            host: host.clone(),
            status: identity.status,
            verb: verb.done(),
        });
    }
    let (status, reason) = match verb {
        Verb::Revoke => (HostStatus::Revoked, Some(by.reason)),
        Verb::Quarantine => (HostStatus::Quarantined, Some(by.reason)),
        Verb::Release => (HostStatus::Enrolled, None),
    };
    let mut tx = db.begin().await?;
    identities::set_status(&mut tx, host, status, reason, wall_now()).await?;
    match verb {
        // The machine is free for another host, or for this one in a new life.
        Verb::Revoke => {
            identities::forget_machine(&mut tx, host).await?;
            identities::drop_request(&mut tx, host).await?;
        }
        Verb::Release => identities::forget_machine(&mut tx, host).await?,
        Verb::Quarantine => {}
    }
    let detail = json!({ "reason": by.reason, "was": identity.status, "key": identity.key });
    audit::append(&mut tx, &entry(by, host, verb.action(), detail)).await?;
    tx.commit().await?;
    Ok(())
}
