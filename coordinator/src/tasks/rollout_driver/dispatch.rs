//! What the driver needs of the fleet, and when each order went out first.

use crate::fleet::{FleetHandle, OfferedOrder, SendOrderError};
use model::{ChangeId, HostId, Wall};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The way orders go out.
pub trait Dispatch: Send + Sync + 'static {
    /// Whether the host has an open stream.
    fn connected(&self, host: &HostId) -> bool;

    /// Puts an order into the host's queue.
    fn send_order(&self, host: &HostId, order: OfferedOrder) -> Result<(), SendOrderError>;
}

impl Dispatch for FleetHandle {
    fn connected(&self, host: &HostId) -> bool {
        FleetHandle::connected(self, host)
    }

    fn send_order(&self, host: &HostId, order: OfferedOrder) -> Result<(), SendOrderError> {
        FleetHandle::send_order(self, host, order)
    }
}

/// When this process first sent each order that is not ended, so that a confirmation over an older connection can be
/// told. An order sent by an earlier process has no entry: every connection of this process is newer than it.
#[derive(Clone, Debug, Default)]
pub struct SentLog {
    sent: Arc<Mutex<BTreeMap<HostId, (ChangeId, Wall)>>>,
}

impl SentLog {
    /// An order is about to go out; the first time of a change counts.
    pub fn note(&self, host: &HostId, change: &ChangeId, now: Wall) {
        let mut sent = self.lock();
        if sent.get(host).is_none_or(|(known, _)| known != change) {
            sent.insert(host.clone(), (change.clone(), now));
        }
    }

    /// When the order of this change first went out to the host.
    #[must_use]
    pub fn sent_at(&self, host: &HostId, change: &ChangeId) -> Option<Wall> {
        self.lock().get(host).filter(|(known, _)| known == change).map(|(_, at)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<HostId, (ChangeId, Wall)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
