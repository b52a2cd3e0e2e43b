//! Who may speak, as the database knows it: the answers to the fleet's questions, and the end of live streams whose
//! host lost its right to them.
//!
//! Owns: every decision about an identity, and its audit entry. Must not: sign certificates or see a private key. Called
//! by the fleet through [`Identities`]; the operators' decisions come in through [`operator`].

pub mod operator;
mod watch;

pub use watch::{SWEEP_EVERY, watch};

use super::wall_now;
use crate::fleet::{Denial, EnrolAttempt, EnrolDecision, Identities, IdentityFuture, RecoverAttempt};
use crate::store::audit::{self, AuditEntry};
use crate::store::hosts::HostStatus;
use crate::store::identities::{
    self, Binding, EnrolmentRequest, IdentityRecord, RequestSource, RequestStatus,
};
use crate::store::tokens::{self, TakeToken};
use crate::store::{Db, StoreError, Tx};
use crate::trust::{PeerId, TokenKey};
use model::{HostGroupId, HostId, KeyFingerprint, Millis, Wall};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// How long a request waits for an operator.
pub const REQUEST_TTL: Millis = Millis(24 * 60 * 60 * 1000);

/// Identities in the database.
#[derive(Debug)]
pub struct StoredIdentities {
    db: Db,
    token_key: TokenKey,
}

fn unavailable(error: StoreError) -> Denial {
    tracing::error!(%error, "an identity cannot be checked");
    Denial::Unavailable { why: error.to_string() }
}

fn entry(host: &HostId, action: &str, detail: Value) -> AuditEntry {
    AuditEntry {
        at: wall_now(),
        actor: format!("host:{host}"),
        action: action.to_owned(),
        subject: format!("host/{host}"),
        detail,
    }
}

/// Whether the host may speak with this key.
fn judge(identity: Option<&IdentityRecord>, host: &HostId, key: &KeyFingerprint) -> Result<(), Denial> {
    let Some(identity) = identity else { return Err(Denial::Unknown { host: host.clone() }) };
    match identity.status {
        HostStatus::Expected => Err(Denial::Unknown { host: host.clone() }),
        HostStatus::Revoked => Err(Denial::Revoked),
        HostStatus::Quarantined => {
            Err(Denial::Quarantined { reason: identity.reason.clone().unwrap_or_default() })
        }
        HostStatus::Enrolled if identity.key.as_ref() == Some(key) => Ok(()),
        HostStatus::Enrolled => Err(Denial::OtherKey),
    }
}

/// A host that an enrolment is about.
struct Newcomer<'a> {
    host: &'a HostId,
    key: &'a KeyFingerprint,
    system_uuid: Option<&'a str>,
    group: Option<&'a HostGroupId>,
    remote: SocketAddr,
}

impl StoredIdentities {
    /// Identities of this database; tokens are hashed with this key.
    #[must_use]
    pub fn new(db: Db, token_key: TokenKey) -> Self {
        Self { db, token_key }
    }

    async fn identity(&self, host: &HostId) -> Result<Option<IdentityRecord>, Denial> {
        identities::get(&self.db, host).await.map_err(unavailable)
    }

    async fn admit_now(&self, peer: PeerId, remote: SocketAddr) -> Result<(), Denial> {
        let identity = self.identity(&peer.host).await?;
        let Err(denial) = judge(identity.as_ref(), &peer.host, &peer.key) else { return Ok(()) };
        if matches!(denial, Denial::Unknown { .. }) {
            self.ask_for_adoption(&peer, remote).await.map_err(unavailable)?;
        }
        Err(denial)
    }

    /// The host has a certificate of ours and no row: the database is older than it. An operator decides.
    async fn ask_for_adoption(&self, peer: &PeerId, remote: SocketAddr) -> Result<(), StoreError> {
        let now = wall_now();
        let known = identities::request(&self.db, &peer.host).await?;
        if known.is_some_and(|request| request.key == peer.key && request.expires > now) {
            return Ok(());
        }
        let request = EnrolmentRequest {
            host: peer.host.clone(),
            key: peer.key.clone(),
            source: RequestSource::Certificate,
            token_hash: None,
            system_uuid: None,
            group: None,
            remote: remote.to_string(),
            status: RequestStatus::Pending,
            created: now,
            expires: now.plus(REQUEST_TTL),
        };
        let mut tx = self.db.begin().await?;
        identities::ask(&mut tx, &request).await?;
        let detail = json!({ "source": "certificate", "key": peer.key, "remote": remote });
        audit::append(&mut tx, &entry(&peer.host, "host.enrolment_requested", detail)).await?;
        tx.commit().await
    }

    async fn enrol_now(&self, attempt: EnrolAttempt) -> Result<EnrolDecision, Denial> {
        let EnrolAttempt { host, token, key, system_uuid, remote } = &attempt;
        let hash = self.token_key.hash(token).0;
        let request = identities::request(&self.db, host).await.map_err(unavailable)?;
        let own = request.filter(|request| request.token_hash.as_ref() == Some(&hash) && request.key == *key);
        if let Some(request) = own {
            return self.look_at(request, &attempt).await;
        }
        let now = wall_now();
        let mut tx = self.db.begin().await.map_err(unavailable)?;
        let taken = tokens::take(&mut tx, &hash, host, system_uuid.as_deref(), now).await;
        // Whatever follows: the token is dead.
        let taken = match taken {
            Ok(taken) => tx.commit().await.map(|()| taken),
            Err(error) => Err(error),
        };
        let token = match taken.map_err(unavailable)? {
            TakeToken::Taken(token) => token,
            TakeToken::Refused(why) => {
                let denial = Denial::Token { why: format!("the token is not good: {why:?}") };
                return Err(denial);
            }
        };
        let newcomer = Newcomer {
            host,
            key,
            system_uuid: system_uuid.as_deref(),
            group: token.group.as_ref(),
            remote: *remote,
        };
        self.check_machine(&newcomer).await?;
        if token.needs_approval {
            self.ask(&newcomer, hash, now).await.map_err(unavailable)?;
            return Ok(EnrolDecision::Pending);
        }
        self.let_in(&newcomer, json!({ "approval": "waived by the token" })).await.map_err(unavailable)?;
        Ok(EnrolDecision::Granted)
    }

    /// A host asks again with the token and the key it began with.
    async fn look_at(
        &self,
        request: EnrolmentRequest,
        attempt: &EnrolAttempt,
    ) -> Result<EnrolDecision, Denial> {
        let EnrolAttempt { host, key, remote, .. } = attempt;
        if request.expires <= wall_now() {
            let denial = Denial::Token { why: "nobody decided about the request in time".to_owned() };
            return Err(denial);
        }
        match request.status {
            RequestStatus::Pending => Ok(EnrolDecision::Pending),
            RequestStatus::Denied => Err(Denial::Denied),
            RequestStatus::Approved => {
                let newcomer = Newcomer {
                    host,
                    key,
                    system_uuid: request.system_uuid.as_deref(),
                    group: request.group.as_ref(),
                    remote: *remote,
                };
                self.check_machine(&newcomer).await?;
                let how = json!({ "approval": "by an operator" });
                self.let_in(&newcomer, how).await.map_err(unavailable)?;
                Ok(EnrolDecision::Granted)
            }
        }
    }

    /// One machine is one host.
    async fn check_machine(&self, newcomer: &Newcomer<'_>) -> Result<(), Denial> {
        let Newcomer { host, system_uuid, .. } = newcomer;
        let Some(uuid) = system_uuid else { return Ok(()) };
        let other = identities::other_on_machine(&self.db, host, uuid).await.map_err(unavailable)?;
        let Some(other) = other else { return Ok(()) };
        let why = format!("its machine {uuid} is host {other}: revoke that one first");
        Err(Denial::Machine { why })
    }

    async fn ask(&self, newcomer: &Newcomer<'_>, hash: String, now: Wall) -> Result<(), StoreError> {
        let Newcomer { host, key, system_uuid, group, remote } = *newcomer;
        let request = EnrolmentRequest {
            host: host.clone(),
            key: key.clone(),
            source: RequestSource::Token,
            token_hash: Some(hash),
            system_uuid: system_uuid.map(str::to_owned),
            group: group.cloned(),
            remote: remote.to_string(),
            status: RequestStatus::Pending,
            created: now,
            expires: now.plus(REQUEST_TTL),
        };
        let mut tx = self.db.begin().await?;
        identities::drop_old_requests(&mut tx, now).await?;
        identities::ask(&mut tx, &request).await?;
        let detail = json!({ "source": "token", "key": key, "system_uuid": system_uuid, "remote": remote });
        audit::append(&mut tx, &entry(host, "host.enrolment_requested", detail)).await?;
        tx.commit().await
    }

    async fn let_in(&self, newcomer: &Newcomer<'_>, how: Value) -> Result<(), StoreError> {
        let Newcomer { host, key, system_uuid, group, remote } = *newcomer;
        let mut tx = self.db.begin().await?;
        identities::bind(&mut tx, &Binding { host, key, system_uuid, group }, wall_now()).await?;
        identities::drop_request(&mut tx, host).await?;
        let detail = json!({ "key": key, "system_uuid": system_uuid, "remote": remote, "how": how });
        audit::append(&mut tx, &entry(host, "host.enrolled", detail)).await?;
        tx.commit().await
    }

    async fn recover_now(&self, attempt: RecoverAttempt) -> Result<u64, Denial> {
        let RecoverAttempt { host, key, system_uuid, join_count, join_id, remote } = &attempt;
        let identity = self.identity(host).await?;
        if let Err(denial) = judge(identity.as_ref(), host, key) {
            // Only the holder of the bound key learns how the host stands.
            let bound = identity.is_some_and(|identity| identity.key.as_ref() == Some(key));
            let denial = if bound { denial } else { Denial::Unproven { why: "it is not the host's key" } };
            return Err(denial);
        }
        let next = join_count.saturating_add(1);
        let repeat = identity
            .is_some_and(|known| known.join_count == Some(next) && known.join_id.as_ref() == Some(join_id));
        if join_id.is_empty() {
            return Err(Denial::Unproven { why: "it names no join" });
        }
        if let Some(uuid) = system_uuid {
            self.machine_now(host, uuid).await?;
        }
        if repeat {
            return Ok(next);
        }
        let mut tx = self.db.begin().await.map_err(unavailable)?;
        if identities::take_join(&mut tx, host, *join_count, join_id).await.map_err(unavailable)? {
            let detail = json!({ "key": key, "join_count": next, "remote": remote });
            audit::append(&mut tx, &entry(host, "host.recovered", detail)).await.map_err(unavailable)?;
            tx.commit().await.map_err(unavailable)?;
            return Ok(next);
        }
        tx.cancel().await;
        let reason = format!(
            "it recovers for the {next}. time by its own count, which is not ours: there is a copy of it"
        );
        let detail = json!({ "reason": reason, "join_count": join_count, "remote": remote });
        self.quarantine(host, reason, detail).await
    }

    /// The host is bound to its machine, or shown to be elsewhere.
    async fn machine_now(&self, host: &HostId, uuid: &str) -> Result<(), Denial> {
        let identity = self.identity(host).await?.ok_or_else(|| Denial::Unknown { host: host.clone() })?;
        match identity.system_uuid {
            Some(bound) if bound == uuid => Ok(()),
            Some(bound) => {
                let reason = format!("it was on machine {bound} and is on {uuid} now");
                let detail = json!({ "reason": reason, "bound": bound, "system_uuid": uuid });
                self.quarantine(host, reason, detail).await
            }
            None => {
                let mut tx = self.db.begin().await.map_err(unavailable)?;
                if identities::note_machine(&mut tx, host, uuid).await.map_err(unavailable)? {
                    return tx.commit().await.map_err(unavailable);
                }
                tx.cancel().await;
                match identities::other_on_machine(&self.db, host, uuid).await.map_err(unavailable)? {
                    Some(other) => {
                        let reason = format!("it says it is on machine {uuid}, which is host {other}");
                        let detail = json!({ "reason": reason, "other": other, "system_uuid": uuid });
                        self.quarantine(host, reason, detail).await
                    }
                    // Another stream of this host was faster.
                    None => Ok(()),
                }
            }
        }
    }

    /// The identity is in doubt: nothing is sent to the host until an operator releases it.
    async fn quarantine<T>(&self, host: &HostId, reason: String, detail: Value) -> Result<T, Denial> {
        tracing::error!(%host, reason, "host quarantined");
        let stored = async {
            let mut tx: Tx = self.db.begin().await?;
            identities::set_status(&mut tx, host, HostStatus::Quarantined, Some(&reason), wall_now()).await?;
            audit::append(&mut tx, &entry(host, "host.quarantined", detail)).await?;
            tx.commit().await
        };
        stored.await.map_err(unavailable)?;
        Err(Denial::Quarantined { reason })
    }

    async fn certified_now(&self, host: &HostId, expires: Wall) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        identities::note_certificate(&mut tx, host, expires).await?;
        tx.commit().await
    }
}

impl Identities for StoredIdentities {
    fn admit(&self, peer: PeerId, remote: SocketAddr) -> IdentityFuture<'_, ()> {
        Box::pin(self.admit_now(peer, remote))
    }

    fn enrol(&self, attempt: EnrolAttempt) -> IdentityFuture<'_, EnrolDecision> {
        Box::pin(self.enrol_now(attempt))
    }

    fn recover(&self, attempt: RecoverAttempt) -> IdentityFuture<'_, u64> {
        Box::pin(self.recover_now(attempt))
    }

    fn machine(&self, host: HostId, system_uuid: String) -> IdentityFuture<'_, ()> {
        Box::pin(async move { self.machine_now(&host, &system_uuid).await })
    }

    fn certified(&self, host: HostId, expires: Wall) -> IdentityFuture<'_, ()> {
        Box::pin(async move { self.certified_now(&host, expires).await.map_err(unavailable) })
    }
}

#[cfg(test)]
mod tests;
