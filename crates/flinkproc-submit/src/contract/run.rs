//! Follows a run to its end, as a caller would.
#![expect(clippy::expect_used, reason = "a contract suite fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use flinkproc_core::{Attempt, Span};

use crate::method::{LauncherExit, Observation, Offsets, RunRef, RunState, SubmissionMethod};

/// No test of this suite takes longer, on any machine.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run_ref(deployment: &str) -> RunRef {
    RunRef {
        deployment: deployment.parse().expect("deployment id"),
        attempt: Attempt::FIRST,
    }
}

/// Looks from the beginning until what is seen is what is waited for.
pub(super) async fn observe_until(
    method: &dyn SubmissionMethod,
    run: &RunRef,
    wanted: impl Fn(&Observation) -> bool,
) -> Observation {
    observe_from(method, run, Offsets::default(), wanted).await
}

/// Looks from an offset until what is seen is what is waited for.
pub(super) async fn observe_from(
    method: &dyn SubmissionMethod,
    run: &RunRef,
    from: Offsets,
    wanted: impl Fn(&Observation) -> bool,
) -> Observation {
    let begin = Instant::now();
    loop {
        let seen = method.observe(run, from, Span::from_secs(1)).await;
        let seen = seen.expect("observed");
        if wanted(&seen) {
            return seen;
        }
        assert!(begin.elapsed() < LIMIT, "never came: {seen:?}");
    }
}

/// Reads a run to its end, each piece through another connection: how it ended, its standard output and standard error.
pub(super) async fn follow(
    mut connect: impl FnMut() -> Arc<dyn SubmissionMethod>,
    run: &RunRef,
) -> (LauncherExit, Vec<u8>, Vec<u8>) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    loop {
        let from = Offsets {
            out: out.len() as u64,
            err: err.len() as u64,
        };
        let seen = connect().observe(run, from, Span::from_secs(5)).await;
        assert!(begin.elapsed() < LIMIT, "never ended: {seen:?}");
        let Ok(seen) = seen else { continue };
        out.extend_from_slice(&seen.out);
        err.extend_from_slice(&seen.err);
        match seen.state {
            RunState::Ended(exit) if seen.out.is_empty() && seen.err.is_empty() => {
                return (exit, out, err);
            }
            RunState::Running | RunState::Ended(_) => {}
            other => assert_eq!(
                other,
                RunState::Running,
                "{}",
                String::from_utf8_lossy(&err)
            ),
        }
    }
}

/// Lets others run for a moment.
pub(super) async fn pause() {
    let nap = tokio::task::spawn_blocking(|| std::thread::park_timeout(Duration::from_millis(10)));
    nap.await.expect("paused");
}
