//! How much of the door one address may take: connections that arrive, handshakes at once. Must not judge addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

struct Source {
    arrivals: usize,
    handshakes: Arc<Semaphore>,
}

/// All addresses that are at the door now.
pub(super) struct Sources {
    arrivals_max: usize,
    handshakes_max: usize,
    at_door: Mutex<BTreeMap<IpAddr, Source>>,
}

/// One connection at the door; leaves it when dropped.
pub(super) struct Arrival {
    sources: Arc<Sources>,
    address: IpAddr,
    /// The handshakes of its address.
    pub(super) handshakes: Arc<Semaphore>,
}

impl Sources {
    pub(super) fn new(arrivals_max: usize, handshakes_max: usize) -> Arc<Self> {
        let at_door = Mutex::default();
        Arc::new(Self { arrivals_max: arrivals_max.max(1), handshakes_max: handshakes_max.max(1), at_door })
    }

    fn at_door(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Source>> {
        self.at_door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection arrives; `None` when its address has too many at the door.
    pub(super) fn arrive(self: &Arc<Self>, address: IpAddr) -> Option<Arrival> {
        let mut at_door = self.at_door();
        let source = at_door.entry(address).or_insert_with(|| Source {
            arrivals: 0,
            handshakes: Arc::new(Semaphore::new(self.handshakes_max)),
        });
        if source.arrivals >= self.arrivals_max {
            return None;
        }
        source.arrivals += 1;
        let handshakes = Arc::clone(&source.handshakes);
        drop(at_door);
        Some(Arrival { sources: Arc::clone(self), address, handshakes })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut at_door = self.sources.at_door();
        if let Some(source) = at_door.get_mut(&self.address) {
            source.arrivals -= 1;
            if source.arrivals == 0 {
                at_door.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
