//! The emulator's clock: real time plus what it was moved on by.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{Timestamp, TimestampRound, Unit};
use tokio::sync::Notify;

/// Real time plus an offset that only grows.
///
/// Ages and idle times are counted on this clock, so hours pass in a test as soon as it says so.
#[derive(Debug, Default)]
pub(crate) struct EmulatorClock {
    offset_millis: AtomicU64,
    moved: Notify,
}

impl EmulatorClock {
    /// The present instant, to the millisecond.
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulator is a service of its own and owns a real clock"
    )]
    pub(crate) fn now(&self) -> Timestamp {
        let offset = Duration::from_millis(self.offset_millis.load(Ordering::SeqCst));
        let now = Timestamp::now()
            .checked_add(offset)
            .unwrap_or(Timestamp::MAX);
        now.round(TimestampRound::new().smallest(Unit::Millisecond))
            .unwrap_or(now)
    }

    /// Moves the clock on and wakes those who wait for it.
    pub(crate) fn advance(&self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.offset_millis.fetch_add(millis, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    /// Waits until this clock shows `time`.
    pub(crate) async fn sleep_until(&self, time: Timestamp) {
        loop {
            let moved = self.moved.notified();
            let left = time.duration_since(self.now());
            let Ok(left) = Duration::try_from(left) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = moved => {}
                () = real_sleep(left) => {}
            }
        }
    }
}

/// Waits in real time.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulator is a service of its own and owns a real clock"
)]
pub(crate) async fn real_sleep(span: Duration) {
    tokio::time::sleep(span).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::EmulatorClock;

    #[tokio::test]
    async fn moving_the_clock_wakes_a_sleeper_of_hours() {
        let clock = Arc::new(EmulatorClock::default());
        let until = clock.now() + Duration::from_secs(7200);
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep_until(until).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(3600));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(3600));
        assert!(sleeper.await.is_ok());
    }
}
