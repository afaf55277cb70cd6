//! How many connections each address has open, sockets among them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address_group::AddressGroup;
use crate::forwarding::ProxySettings;

/// The connections of a node by address. An address without any is not in it, so that it has at most as many entries as
/// the node has connections.
pub(crate) struct AddressCounts {
    open: Mutex<HashMap<AddressGroup, usize>>,
    /// `None` when there is no limit.
    most: Option<usize>,
    /// The connections of these proxies are those of many clients.
    exempt: ProxySettings,
}

/// Counts one connection until it is dropped: not before the stream is.
pub(crate) struct AddressSlot(Option<(Arc<AddressCounts>, AddressGroup)>);

impl AddressCounts {
    pub(crate) fn new(most: Option<usize>, exempt: ProxySettings) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), most, exempt })
    }

    /// A slot for a connection from this address, if it may have one more.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<AddressSlot> {
        let Some(most) = self.most.filter(|_| !self.exempt.trusts(address)) else { return Some(AddressSlot(None)) };
        let address = AddressGroup::from(address);
        let mut open = self.lock();
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(AddressSlot(Some((Arc::clone(self), address))))
    }

    /// Whether this address is a trusted proxy's.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.exempt.trusts(address)
    }

    /// Nothing panics under the lock.
    fn lock(&self) -> MutexGuard<'_, HashMap<AddressGroup, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let Some((counts, address)) = &self.0 else { return };
        let mut open = counts.lock();
        if let Entry::Occupied(mut count) = open.entry(*address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forwarding::TrustedProxy;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn counts(most: Option<usize>) -> Arc<AddressCounts> {
        let trusted = vec![TrustedProxy::parse("10.0.0.0/8").unwrap()];
        AddressCounts::new(most, ProxySettings { trusted, ..ProxySettings::default() })
    }

    #[test]
    fn each_address_has_so_many_connections_and_none_is_remembered() {
        let counts = counts(Some(2));
        let mut held: Vec<_> = (0..2).map(|_| counts.take(address("192.0.2.1")).unwrap()).collect();
        assert!(counts.take(address("::ffff:192.0.2.1")).is_none());
        held.push(counts.take(address("192.0.2.2")).unwrap());
        assert_eq!(counts.lock().len(), 2);
        held.remove(0);
        held.push(counts.take(address("192.0.2.1")).unwrap());
        assert!(counts.take(address("192.0.2.1")).is_none());
        drop(held);
        assert!(counts.lock().is_empty());
    }

    #[test]
    fn trusted_proxies_have_as_many_as_they_like() {
        let counts = counts(Some(1));
        let _held: Vec<_> = (0..100).map(|_| counts.take(address("10.0.0.1")).unwrap()).collect();
        assert!(counts.lock().is_empty());
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let counts = counts(None);
        let _held: Vec<_> = (0..100).map(|_| counts.take(address("192.0.2.1")).unwrap()).collect();
        assert!(counts.lock().is_empty());
    }

    #[test]
    fn a_million_addresses_take_as_much_as_their_connections() {
        let counts = counts(Some(1));
        for number in 0..1_000_000_u32 {
            let slot = counts.take(IpAddr::from(number.to_be_bytes())).unwrap();
            drop(slot);
        }
        assert!(counts.lock().is_empty());
        assert!(counts.lock().capacity() < 100);
    }
}
