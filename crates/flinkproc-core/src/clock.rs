//! Time as a capability, so that waiting can be tested without waiting.

use std::collections::BinaryHeap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

/// Tells the time and waits.
///
/// The system's clock is built in the binary; tests use [`ManualClock`].
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// Waits for `span`. Dropping the future ends the wait and has no other effect.
    async fn sleep(&self, span: Duration);
}

/// A clock that stands still until it is told to go on.
///
/// With [`ManualClock::eager`] each sleep moves the clock itself and returns at once: long waits are tested in no time.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
    eager: bool,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    sleepers: BinaryHeap<Sleeper>,
}

#[derive(Debug)]
struct Sleeper {
    until: Timestamp,
    waker: Waker,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.until == other.until
    }
}
impl Eq for Sleeper {}
impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.until.cmp(&self.until)
    }
}

impl ManualClock {
    /// Starts at `now` and stands still.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self::build(now, false)
    }

    /// Starts at `now`; whoever sleeps moves the clock and goes on at once.
    #[must_use]
    pub fn eager(now: Timestamp) -> Self {
        Self::build(now, true)
    }

    fn build(now: Timestamp, eager: bool) -> Self {
        let state = Mutex::new(State {
            now,
            sleepers: BinaryHeap::new(),
        });
        Self { state, eager }
    }

    /// Moves the clock on and wakes everyone whose time has come.
    pub fn advance(&self, span: Duration) {
        let mut state = self.lock();
        state.now = later(state.now, span);
        while let Some(sleeper) = state.sleepers.peek() {
            if sleeper.until > state.now {
                break;
            }
            if let Some(sleeper) = state.sleepers.pop() {
                sleeper.waker.wake();
            }
        }
    }

    /// How many wait for this clock.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep(&self, span: Duration) {
        let until = later(self.now(), span);
        if self.eager {
            let mut state = self.lock();
            state.now = state.now.max(until);
            return;
        }
        poll_fn(|context| {
            let mut state = self.lock();
            if state.now >= until {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            state.sleepers.push(Sleeper { until, waker });
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Clock, ManualClock};

    #[tokio::test]
    async fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move { clock.sleep(Duration::from_secs(10)).await }
        });
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert!(sleeper.await.is_ok());
    }

    #[tokio::test]
    async fn an_eager_clock_moves_by_itself() {
        let clock = ManualClock::eager(Timestamp::UNIX_EPOCH);
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now().as_second(), 3600);
    }
}
