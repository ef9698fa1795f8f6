//! How often somebody may guess a password: failures are counted by who was named and from where, and
//! by address alone. Who has used up the minute's failures waits for the next one, whatever the password.
//!
//! The memory is fixed: counters stand in two tables, at places that a secret hash chooses, and both must
//! be full. So nobody can push another's counter out, and two names seldom meet in both tables.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cuttle_model::clock::Timestamp;

use crate::error::ApiError;
use crate::web::peer::Peer;

const WINDOW: Duration = Duration::from_secs(60);
const WINDOW_MICROS: i64 = 60_000_000;
const PLACES: usize = 8192;
/// An address may stand for many people: so many times the failures of one.
const ADDRESS_SHARE: u16 = 20;

/// Counts failures. One for the process.
pub struct Throttle {
    tables: Mutex<[Vec<Counter>; 2]>,
    hashers: [RandomState; 2],
    /// Failures that one name may have from one address in a window; 0: any number.
    most: u16,
}

#[derive(Clone, Copy, Default)]
struct Counter {
    window: i64,
    failures: u16,
}

/// A guess that was let through.
pub struct Guess<'a> {
    throttle: &'a Throttle,
    address: Option<IpAddr>,
    name: &'a str,
    window: i64,
}

impl Throttle {
    pub fn new(failures_per_minute: u16) -> Self {
        let table = || vec![Counter::default(); PLACES];
        let hashers = [RandomState::new(), RandomState::new()];
        Self { tables: Mutex::new([table(), table()]), hashers, most: failures_per_minute }
    }

    /// May this name be guessed at from there?
    pub fn begin<'a>(&'a self, Peer(address): Peer, name: &'a str, now: Timestamp) -> Result<Guess<'a>, ApiError> {
        let guess = Guess { throttle: self, address, name, window: now.as_micros().div_euclid(WINDOW_MICROS) };
        let full = self.failures(&guess.key(), guess.window) >= self.most
            || address
                .is_some_and(|_| self.failures(&guess.address_key(), guess.window) >= self.most.saturating_mul(ADDRESS_SHARE));
        if full && self.most > 0 { Err(ApiError::TooManyFailures { retry_after: until_next(now) }) } else { Ok(guess) }
    }

    fn places(&self, key: &(Option<IpAddr>, &str)) -> [usize; 2] {
        let place = |hasher: &RandomState| usize::try_from(hasher.hash_one(key) % PLACES as u64).unwrap_or(0);
        [place(&self.hashers[0]), place(&self.hashers[1])]
    }

    fn failures(&self, key: &(Option<IpAddr>, &str), window: i64) -> u16 {
        let places = self.places(key);
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |table: usize| Some(tables[table][places[table]]).filter(|counter| counter.window == window);
        let counts = [count(0), count(1)].map(|counter| counter.map_or(0, |counter| counter.failures));
        counts[0].min(counts[1])
    }

    fn count(&self, key: &(Option<IpAddr>, &str), window: i64) {
        let places = self.places(key);
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, place) in tables.iter_mut().zip(places) {
            let counter = &mut table[place];
            let failures = if counter.window == window { counter.failures } else { 0 };
            *counter = Counter { window, failures: failures.saturating_add(1) };
        }
    }
}

impl<'a> Guess<'a> {
    fn key(&self) -> (Option<IpAddr>, &'a str) {
        (self.address, self.name)
    }

    fn address_key(&self) -> (Option<IpAddr>, &'static str) {
        (self.address, "")
    }

    /// It was wrong.
    pub fn failed(self) {
        self.throttle.count(&self.key(), self.window);
        if self.address.is_some() {
            self.throttle.count(&self.address_key(), self.window);
        }
    }
}

fn until_next(now: Timestamp) -> Duration {
    let past = u64::try_from(now.as_micros().rem_euclid(WINDOW_MICROS)).unwrap_or(0);
    // Whole seconds, and never none.
    Duration::from_secs((WINDOW - Duration::from_micros(past)).as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_000_000);

    fn peer(last: u8) -> Peer {
        Peer(Some(IpAddr::from([192, 0, 2, last])))
    }

    #[test]
    fn a_name_waits_after_its_failures_and_others_do_not() {
        let throttle = Throttle::new(3);
        for _ in 0..3 {
            throttle.begin(peer(1), "ann", NOW).unwrap().failed();
        }
        assert!(matches!(throttle.begin(peer(1), "ann", NOW), Err(ApiError::TooManyFailures { .. })));
        assert!(throttle.begin(peer(1), "bob", NOW).is_ok());
        assert!(throttle.begin(peer(2), "ann", NOW).is_ok(), "somebody elsewhere does not lock ann out");
        assert!(throttle.begin(peer(1), "ann", NOW.plus(WINDOW)).is_ok());
    }

    #[test]
    fn an_address_that_tries_many_names_waits_too() {
        let throttle = Throttle::new(1);
        for name in 0..ADDRESS_SHARE {
            throttle.begin(peer(1), &name.to_string(), NOW).unwrap().failed();
        }
        assert!(throttle.begin(peer(1), "another", NOW).is_err());
        assert!(throttle.begin(peer(2), "another", NOW).is_ok());
    }

    #[test]
    fn nothing_is_limited_by_zero() {
        let throttle = Throttle::new(0);
        for _ in 0..100 {
            throttle.begin(peer(1), "ann", NOW).unwrap().failed();
        }
        assert!(throttle.begin(peer(1), "ann", NOW).is_ok());
    }
}
