//! The system's clock; the only place that reads it.

use std::time::Duration;

use async_trait::async_trait;
use flinkproc_core::Clock;
use jiff::Timestamp;

/// Wall clock and timer of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that owns the wall clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that owns the timer"
    )]
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
