//! What each principal is currently doing and has recently spent, across all their connections. Memory is bounded:
//! principals who are idle and have nothing spent are forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::CallerLimits;
use super::bucket::{Bucket, Level, Rate};
use crate::error::{ApiError, Code};

/// The number of parts of the table, each with its own lock.
const SHARDS: usize = 16;
/// The number of principals per part; those beyond share an account.
const MOST_IN_SHARD: usize = 8_192;
/// How often a part is searched for accounts that can be removed, normally and when it is full.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_FULL_EVERY: Duration = Duration::from_secs(1);

/// The principal that limits are counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// An authenticated user, by the number of their ID.
    User(u128),
    /// An unauthenticated client, by its address.
    Address(IpAddr),
}

impl Principal {
    /// An IP address. In IPv6, a single customer has at least a /64 network, which counts as one.
    pub fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            address => address,
        })
    }
}

/// The accounts of all principals.
#[derive(Debug)]
pub struct Accounts {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard {
    accounts: HashMap<Principal, Arc<Account>>,
    swept: Instant,
    /// For principals for whom there is no room.
    shared: Arc<Account>,
}

/// What a principal is doing and has spent.
#[derive(Debug)]
pub struct Account {
    bucket: Mutex<Bucket>,
    operations: AtomicUsize,
    subscriptions: AtomicUsize,
    sockets: AtomicUsize,
}

impl Default for Accounts {
    fn default() -> Self {
        let shard = || Shard { accounts: HashMap::new(), swept: Instant::now(), shared: Arc::default() };
        Self { shards: std::array::from_fn(|_| Mutex::new(shard())), hasher: RandomState::new() }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self {
            bucket: Mutex::new(Bucket::new(Instant::now())),
            operations: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
        }
    }
}

impl Accounts {
    /// The account of a principal.
    pub fn of(&self, principal: Principal) -> Arc<Account> {
        let shard = self.hasher.hash_one(principal) as usize % SHARDS;
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = shard.accounts.get(&principal) {
            return Arc::clone(account);
        }
        shard.open(principal)
    }

    /// The number of all problems.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).accounts.len()).sum()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    fn open(&mut self, principal: Principal) -> Arc<Account> {
        let now = Instant::now();
        let pause = if self.accounts.len() >= MOST_IN_SHARD { SWEEP_FULL_EVERY } else { SWEEP_EVERY };
        if now.duration_since(self.swept) >= pause {
            self.swept = now;
            self.accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_idle(now));
        }
        if self.accounts.len() >= MOST_IN_SHARD {
            return Arc::clone(&self.shared);
        }
        let account = Arc::new(Account::default());
        self.accounts.insert(principal, Arc::clone(&account));
        account
    }
}

/// What is limited concurrently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concurrent {
    Operations,
    Subscriptions,
    Sockets,
}

/// Something in progress that is counted until this is dropped, and what was charged for it.
#[derive(Debug)]
pub struct Admission {
    account: Arc<Account>,
    counted: Concurrent,
    charged: u64,
}

impl Account {
    /// Counts a query or mutation and charges its cost, unless a limit is reached.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub fn begin_operation(self: &Arc<Self>, cost: u64, limits: &CallerLimits) -> Result<Admission, ApiError> {
        self.begin(Concurrent::Operations, limits.operations)?.charged(cost, limits.rate)
    }

    /// Counts a subscription and charges the cost of starting it, unless a limit is reached.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub fn begin_subscription(self: &Arc<Self>, cost: u64, limits: &CallerLimits) -> Result<Admission, ApiError> {
        self.begin(Concurrent::Subscriptions, limits.subscriptions)?.charged(cost, limits.rate)
    }

    /// Counts a WebSocket, unless the limit is reached.
    ///
    /// # Errors
    /// `RATE_LIMITED`.
    pub fn open_socket(self: &Arc<Self>, limits: &CallerLimits) -> Result<Admission, ApiError> {
        self.begin(Concurrent::Sockets, limits.sockets)
    }

    fn begin(self: &Arc<Self>, what: Concurrent, allowed: usize) -> Result<Admission, ApiError> {
        let counter = self.counter(what);
        if counter.fetch_add(1, Ordering::Relaxed) >= allowed {
            counter.fetch_sub(1, Ordering::Relaxed);
            let (limit, things) = match what {
                Concurrent::Operations => ("concurrent operations", "queries and mutations"),
                Concurrent::Subscriptions => ("concurrent subscriptions", "subscriptions"),
                Concurrent::Sockets => ("sockets", "open sockets"),
            };
            let message =
                format!("the limit \"{limit}\" is reached: at most {allowed} {things} are allowed at the same time");
            return Err(ApiError::new(Code::RateLimited, message));
        }
        Ok(Admission { account: Arc::clone(self), counted: what, charged: 0 })
    }

    fn counter(&self, what: Concurrent) -> &AtomicUsize {
        match what {
            Concurrent::Operations => &self.operations,
            Concurrent::Subscriptions => &self.subscriptions,
            Concurrent::Sockets => &self.sockets,
        }
    }

    /// The remaining points.
    pub fn level(&self, rate: Rate) -> Level {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).level(rate, Instant::now())
    }

    /// Charges for something that was rejected, as far as there is room.
    pub fn charge_refused(&self, rate: Option<Rate>) {
        if let Some(rate) = rate {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            // A full bucket rejects what comes next anyway.
            let _full = bucket.take(1, rate, Instant::now());
        }
    }

    /// Whether it is as good as a new one. Everything in progress holds a reference to the account, so only the points
    /// have to be checked.
    fn is_idle(&self, now: Instant) -> bool {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).is_empty(now)
    }
}

impl Admission {
    fn charged(mut self, cost: u64, rate: Option<Rate>) -> Result<Self, ApiError> {
        if let Some(rate) = rate {
            let taken =
                self.account.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(cost, rate, Instant::now());
            if let Err(wait) = taken {
                let Rate { points_per_second, burst } = rate;
                let message = format!(
                    "the limit \"cost points\" is reached: the operation costs {cost}; you can accumulate {burst} and \
                     regain {points_per_second} per second"
                );
                return Err(ApiError::new(Code::RateLimited, message).retry_after(wait));
            }
            self.charged = cost;
        }
        Ok(self)
    }

    /// Whose it is.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Refunds what was charged beyond the actual cost.
    pub fn settle(&mut self, actual: u64) {
        let unused = self.charged.saturating_sub(actual);
        if unused > 0 {
            self.charged -= unused;
            self.account.bucket.lock().unwrap_or_else(PoisonError::into_inner).give_back(unused);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.account.counter(self.counted).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const RATE: Rate = Rate { points_per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN.saturating_add(99) };

    fn limits() -> CallerLimits {
        CallerLimits { rate: Some(RATE), operations: 2, subscriptions: 1, ..CallerLimits::default() }
    }

    fn address(number: u32) -> Principal {
        Principal::of_address(IpAddr::V4(number.into()))
    }

    #[test]
    fn what_is_going_on_is_counted_until_it_ends() {
        let (accounts, limits) = (Accounts::default(), limits());
        let account = accounts.of(Principal::User(1));
        let first = account.begin_operation(1, &limits).unwrap();
        let _second = account.begin_operation(1, &limits).unwrap();
        insta::assert_snapshot!(
            account.begin_operation(1, &limits).unwrap_err(),
            @r#"the limit "concurrent operations" is reached: at most 2 queries and mutations are allowed at the same time"#
        );
        drop(first);
        account.begin_operation(1, &limits).unwrap();
        let _one = account.begin_subscription(1, &limits).unwrap();
        insta::assert_snapshot!(
            account.begin_subscription(1, &limits).unwrap_err(),
            @r#"the limit "concurrent subscriptions" is reached: at most 1 subscriptions are allowed at the same time"#
        );
        accounts.of(Principal::User(2)).begin_subscription(1, &limits).unwrap();
    }

    #[test]
    fn a_spender_is_told_when_to_come_back_and_gets_back_what_was_not_needed() {
        let (account, limits) = (Arc::new(Account::default()), limits());
        let mut operation = account.begin_operation(90, &limits).unwrap();
        let error = account.begin_operation(50, &limits).unwrap_err();
        insta::assert_snapshot!(error, @r#"the limit "cost points" is reached: the operation costs 50; you can accumulate 100 and regain 1 per second"#);
        assert!(
            error.retry_after.is_some_and(|wait| wait > Duration::from_secs(35) && wait <= Duration::from_secs(40))
        );
        operation.settle(10);
        account.begin_operation(50, &limits).unwrap();
    }

    #[test]
    fn a_refusal_by_points_is_not_counted_as_going_on() {
        let (account, limits) = (Arc::new(Account::default()), limits());
        for _ in 0..5 {
            assert!(account.begin_operation(200, &limits).unwrap_err().retry_after.is_some());
        }
        account.begin_operation(1, &limits).unwrap();
    }

    #[test]
    fn a_customer_with_an_ipv6_network_is_one_principal() {
        let of = |text: &str| Principal::of_address(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_memory_and_those_who_spend_are_kept() {
        let (accounts, limits) = (Accounts::default(), limits());
        accounts.of(Principal::User(7)).begin_operation(50, &limits).unwrap();
        for number in 0..300_000 {
            accounts.of(address(number));
        }
        assert!(accounts.len() <= SHARDS * MOST_IN_SHARD, "{}", accounts.len());
        // A new account would be full, and this one takes 50 s to be full again.
        assert!(accounts.of(Principal::User(7)).level(RATE).remaining < 100);
    }
}
