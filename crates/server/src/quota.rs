//! How many connections a route has, and where asked for each address: handshakes that were accepted, and connections.
//!
//! A connection takes its address's place until its socket is closed. Once its end has begun nobody is served by it any more, but a client
//! can keep the socket for a while: that must not be a way to have more sockets than the limit says, nor keep the client itself from coming
//! back. So it counts, and is cut when its address asks for the place.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use fws_hub::Key;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

/// What counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that name a network – the other 64 are the client's
/// to choose, so that a limit by whole address would limit nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(NonZeroU64);

impl Address {
    /// Reads an address as the host tells it. `None` where there is none, as for Unix sockets: such clients are not told apart.
    pub fn parse(text: &str) -> Option<Address> {
        // The zone of a link-local address.
        let text = text.split_once('%').map_or(text, |(address, _)| address);
        let number = match text.parse::<IpAddr>().ok()?.to_canonical() {
            // RFC 6666: 100::/64 discards what is sent to it, so nobody's address is in it or around it.
            IpAddr::V4(address) => 0x0100 << 48 | u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        // The network of ::1 is 0.
        Some(Address(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)))
    }

    /// As a number, which is never 0.
    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

/// The quota of one route, by name: it outlives configurations.
#[derive(Debug, Default)]
pub struct Quota {
    /// Guards all counts, so that a place changes hands without being free, or taken twice, in between.
    taken: Mutex<Taken>,
}

/// Why there is no place for a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The client's address has as many as it may.
    Address,
    /// The route has as many as it may.
    Route,
}

#[derive(Debug, Default)]
struct Taken {
    /// Handshakes that were accepted and not adopted yet.
    reserved: u64,
    /// Of these, how many by address.
    handshakes: HashMap<Address, u32>,
    /// Connections by address; only where they are limited. An address nobody has is not here, so there are never more than connections.
    connections: Option<HashMap<Address, Connections>>,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Connections {
    live: usize,
    /// Those that are over, but have their socket still.
    ending: HashSet<Key>,
}

impl Quota {
    /// Holds a place for a handshake. `most`: how many its address may have, with its connections. `room`: how many handshakes the
    /// route's connections leave room for; to be told under the lock of the registry, so that none becomes one of them meanwhile.
    ///
    /// The keys are those of connections whose end has begun and that are to be cut now, as their address needs the place. Until their
    /// sockets are closed an address may have up to twice as many as `most`, and no more.
    pub fn reserve(
        quota: &Arc<Quota>,
        address: Option<Address>,
        most: Option<u32>,
        room: Option<u64>,
    ) -> Result<(Reservation, Vec<Key>), Full> {
        let mut taken = quota.taken.lock();
        let mut to_cut = Vec::new();
        if let (Some(address), Some(most)) = (address, most) {
            let most = most as usize;
            let handshakes = taken.handshakes.get(&address).copied().unwrap_or(0) as usize;
            let connections = taken.connections.as_ref().and_then(|by| by.get(&address));
            let (live, ending) = connections.map_or((0, 0), |of| (of.live, of.ending.len()));
            if handshakes + live >= most || handshakes + live + ending >= 2 * most {
                return Err(Full::Address);
            }
            if handshakes + live + ending >= most {
                to_cut = connections.map(|of| of.ending.iter().copied().collect()).unwrap_or_default();
            }
        }
        if room.is_some_and(|room| taken.reserved >= room) {
            return Err(Full::Route);
        }
        if let Some(address) = address {
            *taken.handshakes.entry(address).or_insert(0) += 1;
        }
        taken.reserved += 1;
        Ok((Reservation { quota: quota.clone(), address }, to_cut))
    }

    /// Begins or ends to count connections by address; `live` are those there are. To be called under the lock of the registry, as
    /// [`Reservation::adopted`] and [`Quota::ending`] are, so that none is missed.
    pub fn count_connections(&self, wanted: bool, live: impl Iterator<Item = Address>) {
        let mut taken = self.taken.lock();
        if wanted == taken.connections.is_some() {
            return;
        }
        taken.connections = wanted.then(|| {
            let mut counts: HashMap<_, Connections> = HashMap::new();
            live.for_each(|address| counts.entry(address).or_default().live += 1);
            counts
        });
    }

    /// A live connection of this address is over. Its socket is not closed yet.
    pub fn ending(&self, address: Option<Address>, key: Key) {
        if let Some(connections) = self.taken.lock().of(address) {
            connections.live = connections.live.saturating_sub(1);
            connections.ending.insert(key);
        }
    }

    /// The socket of a connection that is [over](Quota::ending) is closed.
    pub fn closed(&self, address: Option<Address>, key: Key) {
        let mut taken = self.taken.lock();
        // One that was over before a configuration asked for the count is not in it.
        let Some(connections) = taken.of(address) else { return };
        connections.ending.remove(&key);
        if connections.live == 0
            && connections.ending.is_empty()
            && let (Some(by), Some(address)) = (&mut taken.connections, address)
        {
            by.remove(&address);
        }
    }

    #[cfg(test)]
    fn counts(&self) -> (u64, usize, Option<usize>) {
        let taken = self.taken.lock();
        (taken.reserved, taken.handshakes.len(), taken.connections.as_ref().map(HashMap::len))
    }
}

impl Taken {
    /// The connections of an address that has some, where they are counted.
    fn of(&mut self, address: Option<Address>) -> Option<&mut Connections> {
        self.connections.as_mut()?.get_mut(&address?)
    }
}

fn decrement(counts: &mut HashMap<Address, u32>, address: Address) {
    if let Some(count) = counts.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&address);
        }
    }
}

/// A place on a route that is held until the connection is taken over or given up.
#[derive(Debug)]
pub struct Reservation {
    quota: Arc<Quota>,
    address: Option<Address>,
}

impl Reservation {
    /// The connection is live: from now on it takes the place itself.
    pub fn adopted(mut self) {
        let mut taken = self.quota.taken.lock();
        let Some(address) = self.address.take() else { return };
        decrement(&mut taken.handshakes, address);
        if let Some(connections) = &mut taken.connections {
            connections.entry(address).or_default().live += 1;
        }
    }
}

/// The place of a connection whose socket the host has: free when both are through with it.
#[derive(Debug)]
pub struct Seat {
    quota: Arc<Quota>,
    address: Option<Address>,
    key: Key,
}

impl Seat {
    pub fn new(quota: Arc<Quota>, address: Option<Address>, key: Key) -> Seat {
        Seat { quota, address, key }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.quota.closed(self.address, self.key);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut taken = self.quota.taken.lock();
        taken.reserved -= 1;
        if let Some(address) = self.address {
            decrement(&mut taken.handshakes, address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect(text)
    }

    #[test]
    fn an_address_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("fe80::1%eth0"), address("fe80::2"));
        assert_ne!(address("::1"), address("0.0.0.1"));
        assert_eq!(Address::parse(""), None);
        assert_eq!(Address::parse("@"), None);
    }

    fn key(index: u32) -> Key {
        Key { index, generation: 1 }
    }

    #[test]
    fn counts_stay_exact_however_the_option_comes_and_goes_and_nothing_is_left_of_those_who_left() {
        let quota = Arc::new(Quota::default());
        let (a, b) = (Some(address("192.0.2.1")), Some(address("192.0.2.2")));
        let reserve = |whose, most| Quota::reserve(&quota, whose, most, None).ok().map(|(reservation, _)| reservation);
        // Not limited: connections are not counted, handshakes are.
        reserve(a, None).expect("free").adopted();
        let pending = reserve(a, None).expect("free");
        assert_eq!(quota.counts(), (1, 1, None));
        // A reload limits them to two: the live connection and the handshake are both counted, and one that is over is not.
        quota.ending(a, key(0));
        quota.count_connections(true, a.into_iter());
        quota.closed(a, key(0));
        assert!(reserve(a, Some(2)).is_none() && reserve(b, Some(2)).is_some());
        pending.adopted();
        assert!(reserve(a, Some(2)).is_none());
        assert_eq!(quota.counts(), (0, 0, Some(1)));
        quota.ending(a, key(1));
        quota.closed(a, key(1));
        let given_up = reserve(a, Some(2)).expect("one has left");
        assert!(reserve(a, Some(2)).is_none());
        drop(given_up);
        drop(reserve(a, Some(2)).expect("it was given back"));
        // Another reload with the option changes nothing; one without it forgets.
        quota.count_connections(true, std::iter::empty());
        assert_eq!(quota.counts(), (0, 0, Some(1)));
        quota.ending(a, key(2));
        drop(Seat::new(quota.clone(), a, key(2)));
        assert_eq!(quota.counts(), (0, 0, Some(0)));
        quota.count_connections(false, std::iter::empty());
        quota.ending(a, key(3));
        quota.closed(a, key(3));
        // Who has no address is not limited.
        assert!(reserve(None, Some(0)).is_some());
    }

    #[test]
    fn a_socket_counts_until_it_is_closed_and_one_that_is_over_is_cut_for_a_newcomer() {
        let quota = Arc::new(Quota::default());
        quota.count_connections(true, std::iter::empty());
        let (a, b) = (Some(address("192.0.2.1")), Some(address("192.0.2.2")));
        let reserve =
            |whose| Quota::reserve(&quota, whose, Some(2), None).map(|(reservation, to_cut)| (reservation.adopted(), to_cut.len()));
        assert_eq!((reserve(a), reserve(a), reserve(a)), (Ok(((), 0)), Ok(((), 0)), Err(Full::Address)));
        // Both are over, and their sockets are there: they make room, twice, and then the address has four sockets.
        quota.ending(a, key(1));
        quota.ending(a, key(2));
        assert_eq!(reserve(b), Ok(((), 0)), "another address is not concerned");
        assert_eq!((reserve(a), reserve(a), reserve(a)), (Ok(((), 2)), Ok(((), 2)), Err(Full::Address)));
        // Whatever ends now, there are no more before one is closed.
        quota.ending(a, key(3));
        quota.ending(a, key(4));
        assert_eq!(reserve(a), Err(Full::Address));
        quota.closed(a, key(1));
        assert_eq!((reserve(a), reserve(a)), (Ok(((), 3)), Err(Full::Address)));
        for number in 2..=4 {
            quota.closed(a, key(number));
        }
        assert_eq!((reserve(a), reserve(a)), (Ok(((), 0)), Err(Full::Address)));
    }

    #[test]
    fn the_last_place_of_a_route_goes_to_one_handshake_and_no_more() {
        let quota = Arc::new(Quota::default());
        let anyone = Some(address("192.0.2.1"));
        let last = Quota::reserve(&quota, anyone, None, Some(1)).expect("free");
        assert_eq!(Quota::reserve(&quota, anyone, None, Some(1)).err(), Some(Full::Route));
        // What its address may have is told first: that is what this client can do something about.
        assert_eq!(Quota::reserve(&quota, anyone, Some(1), Some(1)).err(), Some(Full::Address));
        assert_eq!(quota.counts(), (1, 1, None));
        drop(last);
        assert_eq!(quota.counts(), (0, 0, None));
        assert_eq!(Quota::reserve(&quota, anyone, None, Some(0)).err(), Some(Full::Route));
    }
}
