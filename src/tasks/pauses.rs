//! The pauses before something is tried again.

use std::time::Duration;

use backon::ExponentialBuilder;

/// Pauses that double, from `first` up to `longest`, and never run out.
#[must_use]
pub fn pauses(first: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_factor(2.0).without_max_times()
}
