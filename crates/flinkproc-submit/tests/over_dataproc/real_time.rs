//! The time of this machine, for real programs.

use std::time::Duration;

use async_trait::async_trait;
use flinkproc_core::Clock;
use jiff::Timestamp;

/// The time of this machine.
#[derive(Debug)]
pub(crate) struct RealTime;

#[async_trait]
impl Clock for RealTime {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
