//! How many sockets the node holds: each has a descriptor for as long as its stream is open.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::guard::AddressSlot;

/// The permits of a node for sockets.
pub(crate) struct SocketPermits {
    free: Arc<Semaphore>,
    all: usize,
}

/// Counts one socket against the limits of the node and of its address until it is dropped: not before the stream is.
pub(crate) struct SocketPermit {
    permit: OwnedSemaphorePermit,
    all: usize,
    address_slot: Option<AddressSlot>,
}

impl SocketPermits {
    pub(crate) fn new(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(all)), all }
    }

    /// A permit, if the node may have one more socket.
    pub(crate) fn take(&self) -> Option<SocketPermit> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(SocketPermit { permit, all: self.all, address_slot: None })
    }
}

impl SocketPermit {
    /// Takes over what counts the connection that becomes a socket.
    pub(crate) fn keep(&mut self, address_slot: Option<AddressSlot>) {
        self.address_slot = address_slot;
    }

    /// Whether three quarters of the permits are taken.
    pub(crate) fn is_scarce(&self) -> bool {
        self.permit.semaphore().available_permits() <= self.all / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_scarce_when_three_quarters_are_taken() {
        let permits = SocketPermits::new(8);
        let mut taken: Vec<SocketPermit> = (0..5).map(|_| permits.take().unwrap()).collect();
        assert!(!taken[0].is_scarce());
        taken.push(permits.take().unwrap());
        assert!(taken[0].is_scarce());
        taken.extend([permits.take().unwrap(), permits.take().unwrap()]);
        assert!(permits.take().is_none());
        taken.truncate(5);
        assert!(!taken[0].is_scarce());
    }
}
