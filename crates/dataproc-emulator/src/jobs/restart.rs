//! Whether a job whose driver failed is started again.

use std::time::Duration;

use jiff::Timestamp;

/// What a request says of a job's attempts and time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scheduling {
    /// How often within an hour a driver may be started again; 0 when nothing was said.
    pub(crate) per_hour: u32,
    /// How often altogether; 0 when nothing was said.
    pub(crate) total: u32,
    pub(crate) ttl_millis: Option<i64>,
}

/// So many failures within so short a time are thrashing, as the service documents it.
const THRASHING: usize = 4;
const THRASHING_WITHIN: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3600);

impl Scheduling {
    /// Why a job whose driver has just failed is not started again; `None` when it is.
    ///
    /// `failures` are the times of all its failures, the last one included.
    pub(crate) fn refuses(&self, failures: &[Timestamp]) -> Option<String> {
        let (Some(now), true) = (failures.last(), self.per_hour > 0 || self.total > 0) else {
            return Some(String::new());
        };
        let within = |span: Duration| {
            let recent = |at: &&Timestamp| **at + span > *now;
            failures.iter().filter(recent).count()
        };
        let exceeds = |count: usize, most: u32| most > 0 && count > most as usize;
        if exceeds(failures.len(), self.total) {
            return Some(format!("It failed more than {} times. ", self.total));
        }
        if exceeds(within(HOUR), self.per_hour) {
            return Some(format!(
                "It failed more than {} times within an hour. ",
                self.per_hour
            ));
        }
        if within(THRASHING_WITHIN) >= THRASHING {
            return Some(format!(
                "It is thrashing: its driver failed {THRASHING} times within 10 minutes. "
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan};

    use super::Scheduling;

    fn check(per_hour: u32, total: u32, minutes: &[i64], expected: Option<&str>) {
        let at = |minute: &i64| Timestamp::UNIX_EPOCH + minute.minutes();
        let failures: Vec<Timestamp> = minutes.iter().map(at).collect();
        let scheduling = Scheduling {
            per_hour,
            total,
            ttl_millis: None,
        };
        let got = scheduling.refuses(&failures);
        let fits = match (&got, expected) {
            (None, None) => true,
            (Some(got), Some(expected)) => got.contains(expected),
            _ => false,
        };
        assert!(fits, "{per_hour} {total} {minutes:?}: {got:?}");
    }

    #[test]
    fn failures_are_counted_by_the_hour_and_altogether() {
        check(0, 0, &[0], Some(""));
        check(1, 0, &[0], None);
        check(1, 0, &[0, 30], Some("within an hour"));
        check(1, 0, &[0, 60], None);
        check(1, 2, &[0, 60, 120], Some("more than 2 times"));
        check(10, 0, &[0, 1, 2], None);
        check(10, 0, &[0, 1, 2, 3], Some("thrashing"));
        check(10, 0, &[0, 5, 10, 15], None);
        check(0, 1, &[0], None);
    }
}
