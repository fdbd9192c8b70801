//! Failures on demand: one generic wrapper; each capability crate implements its trait for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails before it has any effect.
    Before,
    /// The call takes effect and its answer is lost.
    AnswerLost,
}

/// A capability whose chosen calls fail.
///
/// Calls are counted for each method by itself, from 1.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: T,
    rules: HashMap<(&'static str, u32), Fault>,
    calls: Mutex<HashMap<&'static str, u32>>,
}

impl<T> Faulty<T> {
    /// Wraps a capability; without rules nothing fails.
    pub fn new(inner: T) -> Self {
        Self {
            inner,
            rules: HashMap::new(),
            calls: Mutex::new(HashMap::new()),
        }
    }

    /// Makes the `nth` call (from 1) of `method` suffer `fault`.
    #[must_use]
    pub fn with(mut self, method: &'static str, nth: u32, fault: Fault) -> Self {
        self.rules.insert((method, nth), fault);
        self
    }

    /// The capability inside.
    pub const fn inner(&self) -> &T {
        &self.inner
    }

    /// Counts a call of `method` and says what is to happen to it.
    pub fn strike(&self, method: &'static str) -> Option<Fault> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = calls.entry(method).or_insert(0);
        *nth += 1;
        self.rules.get(&(method, *nth)).copied()
    }

    /// How often `method` was called.
    pub fn calls(&self, method: &'static str) -> u32 {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(method).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Faulty};

    #[test]
    fn only_the_named_call_fails() {
        let faulty = Faulty::new(()).with("get", 2, Fault::AnswerLost);
        let seen: Vec<_> = (0..3).map(|_| faulty.strike("get")).collect();
        assert_eq!(seen, [None, Some(Fault::AnswerLost), None]);
        assert_eq!(faulty.strike("put"), None);
        assert_eq!((faulty.calls("get"), faulty.calls("put")), (3, 1));
    }
}
