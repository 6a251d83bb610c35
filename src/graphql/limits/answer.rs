//! The size of the large values in a response, calculated before they are read, so that nothing is built that cannot be
//! sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::Context;

use super::{Limit, OperationLimits, Refusal, within};
use crate::error::ApiError;

/// The bytes of a response: part of what each request carries. Clones share the same count.
#[derive(Debug, Clone)]
pub struct AnswerBytes {
    taken: Arc<AtomicU64>,
    allowed: u64,
}

impl AnswerBytes {
    /// A response of at most `allowed` bytes.
    pub fn new(allowed: u64) -> Self {
        Self { taken: Arc::default(), allowed }
    }

    /// Adds `bytes` to the size of the response, before they are read.
    ///
    /// # Errors
    /// The response would be too large.
    pub fn take(&self, bytes: usize) -> Result<Room<'_>, Refusal> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let room = Room { answer: self, bytes };
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        within(Limit::AnswerBytes, self.allowed, before.saturating_add(bytes)).map(|()| room)
    }

    /// Starts another response, for the next event of a subscription.
    pub fn begin(&self) {
        self.taken.store(0, Ordering::Relaxed);
    }
}

/// Bytes of a response that are reserved for a value. They are returned if the value is not read after all: a resolver may
/// be polled once, dropped and started again.
#[derive(Debug)]
#[must_use]
pub struct Room<'a> {
    answer: &'a AnswerBytes,
    bytes: u64,
}

impl Room<'_> {
    /// The value is part of the response.
    pub fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let returned = |taken: u64| Some(taken.saturating_sub(self.bytes));
        let _ = self.answer.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, returned);
    }
}

impl Default for AnswerBytes {
    fn default() -> Self {
        Self::new(OperationLimits::default().answer_bytes)
    }
}

/// Large values in resolvers.
pub trait AnswerExt {
    /// Adds `bytes` to the size of the response. Must be called before the value is read; keep the room once it was.
    ///
    /// # Errors
    /// `QUERY_TOO_COMPLEX` with both numbers: the response would be too large.
    fn take_answer_bytes(&self, bytes: usize) -> Result<Room<'_>, ApiError>;
}

impl AnswerExt for Context<'_> {
    fn take_answer_bytes(&self, bytes: usize) -> Result<Room<'_>, ApiError> {
        let missing = || ApiError::internal("the request does not count its answer's bytes");
        self.data_opt::<AnswerBytes>().ok_or_else(missing)?.take(bytes).map_err(ApiError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_numbers_and_the_next_answer_begins_anew() {
        let answer = AnswerBytes::new(100);
        answer.take(100).unwrap().keep();
        insta::assert_snapshot!(answer.clone().take(1).unwrap_err(), @r#"the operation exceeds the limit "bytes of the response": it has 101, at most 100 are allowed"#);
        answer.begin();
        answer.take(100).unwrap().keep();
        assert!(answer.take(usize::MAX).is_err());
    }

    #[test]
    fn what_was_not_read_after_all_takes_no_room() {
        let answer = AnswerBytes::new(100);
        drop(answer.take(100).unwrap());
        assert!(answer.take(101).is_err());
        answer.take(60).unwrap().keep();
        answer.take(40).unwrap().keep();
        assert!(answer.take(1).is_err());
    }
}
