//! Ends live streams of hosts that lost their right to them: revoked, quarantined, or enrolled again with another key, at
//! this coordinator or at another one of the same database.

use crate::fleet::{Denial, FleetHandle};
use crate::store::hosts::HostStatus;
use crate::store::{Db, StoreError, identities};
use crate::tasks::{stopped, wall_now};
use model::{Millis, Wall};
use std::time::Duration;
use tokio::sync::watch::Receiver;

/// Time between two looks at what changed: streams end within this time, and a little for the database.
pub const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Changes as old as this are looked at again: clocks of coordinators differ, and a stream may open while its host is
/// being revoked.
const OVERLAP: Millis = Millis(10 * 60 * 1000);

/// Looks every [`SWEEP_EVERY`] until `stop` turns true.
pub async fn watch(db: Db, fleet: FleetHandle, mut stop: Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP_EVERY) => {}
            () = stopped(&mut stop) => return,
        }
        if let Err(error) = sweep(&db, &fleet).await {
            tracing::error!(%error, "revocations cannot be read: streams of revoked hosts stay open until they can");
        }
    }
}

async fn sweep(db: &Db, fleet: &FleetHandle) -> Result<(), StoreError> {
    let since = Wall(wall_now().0.saturating_sub(OVERLAP.0));
    for (host, status, key) in identities::changed_since(db, since).await? {
        let (good, why) = match status {
            HostStatus::Enrolled => (key.as_ref(), Denial::OtherKey),
            HostStatus::Revoked => (None, Denial::Revoked),
            HostStatus::Quarantined => (None, Denial::Quarantined { reason: "see its page".to_owned() }),
            HostStatus::Expected => (None, Denial::Unknown { host: host.clone() }),
        };
        if fleet.cut(&host, good, why) {
            tracing::warn!(%host, status = status.as_str(), "its stream was ended");
        }
    }
    Ok(())
}
