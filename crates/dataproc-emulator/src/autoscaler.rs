//! The autoscaler's arithmetic: from what YARN had and wanted on average to how many workers there should be.
//!
//! As Google's pages on autoscaling and on `BasicYarnAutoscalingConfig` describe it. What they leave open is marked here.

use std::time::Duration;

use jiff::Timestamp;

use crate::policy::{GroupBounds, PolicySpec};
use crate::runtime::YarnMemory;

/// How many workers a cluster has, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) workers: u32,
    pub(crate) secondary: u32,
}

/// Memory in MiB, on average over a cooldown period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    pub(crate) available: f64,
    pub(crate) allocated: f64,
    pub(crate) pending: f64,
}

/// What was seen of a cluster since its present cooldown period began.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    begun: Timestamp,
    last: (Timestamp, YarnMemory),
    /// MiB times seconds.
    sums: Load,
}

impl Period {
    /// A period that begins with this sight.
    pub(crate) fn new(now: Timestamp, seen: YarnMemory) -> Self {
        Self {
            begun: now,
            last: (now, seen),
            sums: Load::default(),
        }
    }

    /// When it ends.
    pub(crate) fn end(&self, cooldown: Duration) -> Option<Timestamp> {
        self.begun.checked_add(cooldown).ok()
    }

    /// Takes a sight in; what was seen before counts for the time until now.
    pub(crate) fn see(&mut self, now: Timestamp, seen: YarnMemory) {
        let (since, before) = self.last;
        let seconds = now.duration_since(since).as_secs_f64().max(0.0);
        // MiB of a cluster are far below 2^52.
        let mib = |mib: u64| mib as f64;
        self.sums.available += mib(before.available) * seconds;
        self.sums.allocated += mib(before.allocated) * seconds;
        self.sums.pending += mib(before.pending) * seconds;
        self.last = (now, seen);
    }

    /// The average so far; `None` as long as no time has passed.
    pub(crate) fn average(&self) -> Option<Load> {
        let seconds = self.last.0.duration_since(self.begun).as_secs_f64();
        (seconds > 0.0).then(|| Load {
            available: self.sums.available / seconds,
            allocated: self.sums.allocated / seconds,
            pending: self.sums.pending / seconds,
        })
    }
}

/// How many workers a cluster should have by its policy.
///
/// The exact change is what is pending, less what is available, in workers. A positive one is multiplied by the scale-up
/// factor and rounded up, a negative one by the scale-down factor and rounded towards zero. It is dropped when it is below
/// the policy's least fraction of the cluster. Bounds hold in every case, also when nothing is to change.
pub(crate) fn recommend(policy: &PolicySpec, now: Sizes, load: Load) -> Sizes {
    let total = f64::from(now.workers) + f64::from(now.secondary);
    let of_one = (load.available + load.allocated) / total;
    let exact = match of_one > 0.0 {
        true => (load.pending - load.available) / of_one,
        // No worker has reported in, so nothing is known.
        false => 0.0,
    };
    let (change, least) = match exact > 0.0 {
        true => ((exact * policy.up).ceil(), policy.up_least),
        false => ((exact * policy.down).ceil(), policy.down_least),
    };
    let change = match change.abs() < least * total {
        true => 0.0,
        false => change,
    };
    // `as` saturates, and no cluster has so many workers.
    let change = change as i64;
    share(policy, now, change)
}

/// Shares a change out to the two groups by their weights, within their bounds.
///
/// Left open by Google's pages and decided here: a group never shrinks while the cluster grows, nor the other way round, but
/// for its bounds; of an odd number, the larger half is primary.
fn share(policy: &PolicySpec, now: Sizes, change: i64) -> Sizes {
    let range = |bounds: GroupBounds, now: u32| {
        let within = now.clamp(bounds.least, bounds.most);
        match change {
            1.. => (i64::from(within), i64::from(bounds.most)),
            0 => (i64::from(within), i64::from(within)),
            _ => (i64::from(bounds.least), i64::from(within)),
        }
    };
    let workers = range(policy.workers, now.workers);
    let secondary = range(policy.secondary, now.secondary);
    let wanted = i64::from(now.workers) + i64::from(now.secondary) + change;
    let total = wanted.clamp(workers.0 + secondary.0, workers.1 + secondary.1);
    let weights = match (policy.workers.weight, policy.secondary.weight) {
        (None, None) | (Some(0), Some(0)) => (1, 1),
        (workers, secondary) => (
            i64::from(workers.unwrap_or(0)),
            i64::from(secondary.unwrap_or(0)),
        ),
    };
    // A group that may have no machine takes no share, whatever its weight.
    let weights = match policy.secondary.most {
        0 => (1, 0),
        _ => weights,
    };
    let of = weights.0 + weights.1;
    let ideal = (2 * total * weights.0 + of) / (2 * of);
    let primary = ideal
        .clamp(workers.0, workers.1)
        .clamp(total - secondary.1, total - secondary.0);
    let number = |many: i64| u32::try_from(many).unwrap_or(0);
    Sizes {
        workers: number(primary),
        secondary: number(total - primary),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Load, Period, Sizes, recommend};
    use crate::policy::{GroupBounds, PolicySpec};
    use crate::runtime::YarnMemory;

    const NONE: (u32, u32, Option<u32>) = (0, 0, Some(0));

    fn policy(workers: (u32, u32, Option<u32>), secondary: (u32, u32, Option<u32>)) -> PolicySpec {
        let bounds = |(least, most, weight)| GroupBounds {
            least,
            most,
            weight,
        };
        PolicySpec {
            cooldown: Duration::from_secs(120),
            graceful: Duration::ZERO,
            up: 1.0,
            down: 1.0,
            up_least: 0.0,
            down_least: 0.0,
            workers: bounds(workers),
            secondary: bounds(secondary),
        }
    }

    /// Workers of 1000 MiB each; `load` is available and pending.
    fn check(policy: &PolicySpec, now: (u32, u32), load: (f64, f64), expected: (u32, u32)) {
        let (available, pending) = load;
        let total = f64::from(now.0 + now.1) * 1000.0;
        let load = Load {
            available,
            allocated: total - available,
            pending,
        };
        let sizes = |(workers, secondary)| Sizes { workers, secondary };
        let got = recommend(policy, sizes(now), load);
        assert_eq!(got, sizes(expected), "{now:?} {load:?}");
    }

    #[test]
    fn factors_and_fractions_decide_the_change() {
        let mut only = policy((2, 20, None), NONE);
        check(&only, (4, 0), (0.0, 0.0), (4, 0));
        check(&only, (4, 0), (0.0, 3000.0), (7, 0));
        check(&only, (4, 0), (0.0, 2100.0), (7, 0));
        check(&only, (4, 0), (1000.0, 3000.0), (6, 0));
        check(&only, (4, 0), (1900.0, 0.0), (3, 0));
        check(&only, (4, 0), (900.0, 0.0), (4, 0));
        only.up = 0.5;
        check(&only, (4, 0), (0.0, 5000.0), (7, 0));
        check(&only, (4, 0), (0.0, 800.0), (5, 0));
        only.down = 0.5;
        check(&only, (10, 0), (5000.0, 0.0), (8, 0));
        check(&only, (10, 0), (1500.0, 0.0), (10, 0));
        (only.up, only.down) = (0.0, 0.0);
        check(&only, (10, 0), (0.0, 9000.0), (10, 0));
        check(&only, (10, 0), (9000.0, 0.0), (10, 0));
        (only.up, only.down) = (1.0, 1.0);
        (only.up_least, only.down_least) = (0.1, 0.3);
        check(&only, (18, 0), (0.0, 1000.0), (18, 0));
        check(&only, (18, 0), (0.0, 1500.0), (20, 0));
        check(&only, (10, 0), (2000.0, 0.0), (10, 0));
        check(&only, (10, 0), (3000.0, 0.0), (7, 0));
    }

    #[test]
    fn bounds_hold_in_every_case() {
        let both = policy((2, 5, None), (0, 3, None));
        check(&both, (2, 0), (0.0, 99_000.0), (5, 3));
        check(&both, (5, 3), (8000.0, 0.0), (2, 0));
        check(&both, (8, 5), (0.0, 0.0), (5, 3));
        check(
            &policy((3, 5, None), (2, 3, None)),
            (2, 0),
            (0.0, 0.0),
            (3, 2),
        );
        check(&policy((2, 5, None), NONE), (2, 0), (0.0, 9000.0), (5, 0));
    }

    #[test]
    fn weights_share_the_change_out() {
        let equal = policy((2, 100, None), (0, 100, None));
        check(&equal, (2, 0), (0.0, 8000.0), (5, 5));
        check(&equal, (2, 0), (0.0, 1000.0), (2, 1));
        check(&equal, (5, 5), (4000.0, 0.0), (3, 3));
        // Out of balance from the beginning: nothing is taken from the larger group while the cluster grows.
        check(&equal, (10, 0), (0.0, 4000.0), (10, 4));
        let two_to_one = policy((2, 100, Some(2)), (0, 100, Some(1)));
        check(&two_to_one, (2, 0), (0.0, 10_000.0), (8, 4));
        let secondary_only = policy((2, 2, None), (0, 100, Some(1)));
        check(&secondary_only, (2, 0), (0.0, 10_000.0), (2, 10));
        check(&secondary_only, (2, 10), (10_500.0, 0.0), (2, 0));
        let primary_only = policy((2, 100, Some(1)), (0, 100, None));
        check(&primary_only, (2, 0), (0.0, 5000.0), (7, 0));
        check(
            &policy((2, 100, Some(1)), (0, 0, Some(1))),
            (2, 0),
            (0.0, 5000.0),
            (7, 0),
        );
    }

    #[test]
    fn nothing_is_known_of_workers_that_have_not_reported() {
        let policy = policy((2, 9, None), NONE);
        let sizes = Sizes {
            workers: 2,
            secondary: 0,
        };
        let load = Load {
            pending: 9000.0,
            ..Load::default()
        };
        assert_eq!(recommend(&policy, sizes, load), sizes);
    }

    #[test]
    fn sights_count_for_the_time_until_the_next() {
        let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
        let pending = |pending| YarnMemory {
            available: 0,
            allocated: 1000,
            pending,
        };
        let mut period = Period::new(at(0), pending(0));
        assert_eq!(period.average(), None);
        period.see(at(90), pending(400));
        period.see(at(120), pending(7));
        let average = period.average().unwrap();
        assert_eq!((average.allocated, average.pending), (1000.0, 100.0));
        assert_eq!(period.end(Duration::from_secs(120)), Some(at(120)));
    }
}
