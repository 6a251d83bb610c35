//! Limits login attempts and registrations: a sliding window per username and per IP address, in memory and bounded. In IPv6, a /64
//! network counts as one address, as for all other limits.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::LoginRates;
use crate::error::{ApiError, Code};
use crate::graphql::limits::Principal;

const WINDOW: Duration = Duration::from_secs(60);
/// The number of names or addresses that are remembered; beyond it, the one with the oldest attempt is forgotten.
const REMEMBERED: usize = 10_000;

/// The address a request came from, in the request's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Counts login attempts.
#[derive(Debug)]
pub struct Attempts {
    names: Mutex<Counts<String>>,
    addresses: Mutex<Counts<Principal>>,
    registrations: Mutex<Counts<Principal>>,
}

impl Attempts {
    /// Counts against these limits.
    pub fn new(limits: &LoginRates) -> Self {
        Self {
            names: Mutex::new(Counts::new(limits.per_name)),
            addresses: Mutex::new(Counts::new(limits.per_address)),
            registrations: Mutex::new(Counts::new(limits.registrations)),
        }
    }

    /// Counts one attempt.
    ///
    /// # Errors
    /// `RATE_LIMITED` if there were too many in the last minute; the message names the limit and its value.
    pub fn count(&self, name: &str, address: Option<ClientAddress>, now: Instant) -> Result<(), ApiError> {
        self.count_address(address, now)?;
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.count(name.to_owned(), now).map_err(|most| {
            refused("RATE_LIMIT_LOGINS_PER_NAME", &format!("login attempts; a username is allowed {most}"))
        })
    }

    /// Counts an attempt without a username, as with the token of a link.
    ///
    /// # Errors
    /// As [`Attempts::count`].
    pub fn count_address(&self, address: Option<ClientAddress>, now: Instant) -> Result<(), ApiError> {
        count(&self.addresses, address, now).map_err(|most| {
            refused("RATE_LIMIT_LOGINS_PER_ADDRESS", &format!("login attempts; an IP address is allowed {most}"))
        })
    }

    /// Counts a registration.
    ///
    /// # Errors
    /// As [`Attempts::count`].
    pub fn count_registration(&self, address: Option<ClientAddress>, now: Instant) -> Result<(), ApiError> {
        count(&self.registrations, address, now).map_err(|most| {
            refused("RATE_LIMIT_REGISTRATIONS", &format!("registrations; an IP address is allowed {most}"))
        })
    }

    /// Forgets the attempts for a username whose password was correct, and takes back the last attempt of the address.
    pub fn succeeded(&self, name: &str, address: Option<ClientAddress>) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).by_key.remove(name);
        if let Some(ClientAddress(address)) = address {
            self.addresses.lock().unwrap_or_else(PoisonError::into_inner).take_back(&Principal::of_address(address));
        }
    }
}

fn count(counts: &Mutex<Counts<Principal>>, address: Option<ClientAddress>, now: Instant) -> Result<(), NonZeroU32> {
    let Some(ClientAddress(address)) = address else { return Ok(()) };
    counts.lock().unwrap_or_else(PoisonError::into_inner).count(Principal::of_address(address), now)
}

fn refused(limit: &str, what: &str) -> ApiError {
    ApiError::new(Code::RateLimited, format!("{limit}: too many {what} per minute"))
}

/// A sliding window in constant space: the count of the current window, and that of the previous one, which fades out.
#[derive(Debug, Clone, Copy)]
struct Count {
    since: Instant,
    now: u32,
    before: u32,
}

#[derive(Debug)]
struct Counts<K> {
    most: Option<NonZeroU32>,
    by_key: HashMap<K, Count>,
}

impl<K: Eq + Hash + Clone> Counts<K> {
    fn new(most: Option<NonZeroU32>) -> Self {
        Self { most, by_key: HashMap::new() }
    }

    fn count(&mut self, key: K, now: Instant) -> Result<(), NonZeroU32> {
        let Some(most) = self.most else { return Ok(()) };
        if self.by_key.len() >= REMEMBERED && !self.by_key.contains_key(&key) {
            self.make_room(now);
        }
        let count = self.by_key.entry(key).or_insert(Count { since: now, now: 0, before: 0 });
        let windows = now.duration_since(count.since).as_secs() / WINDOW.as_secs();
        if windows > 0 {
            let before = if windows == 1 { count.now } else { 0 };
            *count = Count { since: count.since + WINDOW * u32::try_from(windows).unwrap_or(u32::MAX), now: 0, before };
        }
        let left = 1.0 - now.duration_since(count.since).as_secs_f64() / WINDOW.as_secs_f64();
        if f64::from(count.before) * left + f64::from(count.now) + 1.0 > f64::from(most.get()) {
            return Err(most);
        }
        count.now += 1;
        Ok(())
    }

    fn take_back(&mut self, key: &K) {
        if let Some(count) = self.by_key.get_mut(key) {
            count.now = count.now.saturating_sub(1);
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.by_key.retain(|_, count| now.duration_since(count.since) < WINDOW * 2);
        if self.by_key.len() >= REMEMBERED
            && let Some(oldest) = self.by_key.iter().min_by_key(|(_, count)| count.since).map(|(key, _)| key.clone())
        {
            self.by_key.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(per_name: u32, per_address: u32) -> Attempts {
        let (per_name, per_address) = (NonZeroU32::new(per_name), NonZeroU32::new(per_address));
        Attempts::new(&LoginRates { per_name, per_address, registrations: NonZeroU32::new(1) })
    }

    const HOME: Option<ClientAddress> = Some(ClientAddress(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)));

    #[test]
    fn the_third_attempt_of_two_is_refused_and_a_minute_later_it_is_not() {
        let (attempts, start) = (attempts(2, 0), Instant::now());
        attempts.count("ada", HOME, start).unwrap();
        attempts.count("ada", HOME, start).unwrap();
        let refused = attempts.count("ada", HOME, start).unwrap_err();
        insta::assert_snapshot!(refused, @"RATE_LIMIT_LOGINS_PER_NAME: too many login attempts; a username is allowed 2 per minute");
        attempts.count("bob", HOME, start).unwrap();
        attempts.count("ada", HOME, start + WINDOW * 2).unwrap();
    }

    #[test]
    fn registrations_have_a_limit_of_their_own() {
        let (attempts, start) = (attempts(2, 1), Instant::now());
        attempts.count_registration(HOME, start).unwrap();
        let refused = attempts.count_registration(HOME, start).unwrap_err();
        insta::assert_snapshot!(refused, @"RATE_LIMIT_REGISTRATIONS: too many registrations; an IP address is allowed 1 per minute");
        attempts.count("ada", HOME, start).unwrap();
        let refused = attempts.count_address(HOME, start).unwrap_err();
        insta::assert_snapshot!(refused, @"RATE_LIMIT_LOGINS_PER_ADDRESS: too many login attempts; an IP address is allowed 1 per minute");
    }

    #[test]
    fn a_window_fades_out_rather_than_ending_at_once() {
        let (attempts, start) = (attempts(2, 0), Instant::now());
        attempts.count("ada", HOME, start).unwrap();
        attempts.count("ada", HOME, start).unwrap();
        assert!(attempts.count("ada", HOME, start + WINDOW).is_err());
        assert!(attempts.count("ada", HOME, start + WINDOW + WINDOW / 2).is_ok());
    }

    #[test]
    fn many_names_from_one_address_are_refused() {
        let (attempts, start) = (attempts(0, 1), Instant::now());
        attempts.count("ada", HOME, start).unwrap();
        let refused = attempts.count("bob", HOME, start).unwrap_err();
        insta::assert_snapshot!(refused, @"RATE_LIMIT_LOGINS_PER_ADDRESS: too many login attempts; an IP address is allowed 1 per minute");
    }

    fn from(address: &str) -> Option<ClientAddress> {
        Some(ClientAddress(address.parse().unwrap()))
    }

    #[test]
    fn all_of_a_network_of_64_bits_is_one_address() {
        let (attempts, start) = (attempts(0, 3), Instant::now());
        for host in 1..=3 {
            attempts.count("ada", from(&format!("2001:db8:0:7:{host}::{host}")), start).unwrap();
        }
        assert!(attempts.count("bob", from("2001:db8:0:7:ffff::1"), start).is_err());
        attempts.count("bob", from("2001:db8:0:8::1"), start).unwrap();
        attempts.succeeded("ada", from("2001:db8:0:7::9"));
        attempts.count("ada", from("2001:db8:0:7::1"), start).unwrap();
    }

    #[test]
    fn an_ipv4_address_is_the_same_when_ipv6_maps_it_and_its_neighbour_is_another() {
        let (attempts, start) = (attempts(0, 1), Instant::now());
        attempts.count("ada", from("192.0.2.7"), start).unwrap();
        assert!(attempts.count("ada", from("::ffff:192.0.2.7"), start).is_err());
        attempts.count("ada", from("::ffff:192.0.2.8"), start).unwrap();
    }

    #[test]
    fn a_right_password_clears_the_count() {
        let (attempts, start) = (attempts(1, 1), Instant::now());
        for _ in 0..5 {
            attempts.count("ada", HOME, start).unwrap();
            attempts.succeeded("ada", HOME);
        }
    }

    #[test]
    fn a_flood_of_names_takes_bounded_memory() {
        let (attempts, start) = (attempts(5, 0), Instant::now());
        for number in 0..REMEMBERED + 50 {
            attempts.count(&number.to_string(), None, start).unwrap();
        }
        assert_eq!(attempts.names.lock().unwrap().by_key.len(), REMEMBERED);
    }
}
