//! What contract suites answer: the first clause that an implementation breaks.

use std::fmt::Debug;

/// A clause that an implementation breaks.
#[derive(Debug, thiserror::Error)]
#[error("{clause}: {seen}")]
pub struct Broken {
    /// What should have been.
    pub clause: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Fails unless the clause holds for what was seen.
///
/// # Errors
/// The clause.
pub fn hold(clause: &'static str, holds: bool, seen: &impl Debug) -> Result<(), Broken> {
    if holds {
        return Ok(());
    }
    let seen = format!("{seen:?}");
    Err(Broken { clause, seen })
}

/// The value of an answer that should have come.
///
/// # Errors
/// The clause, with the error that came instead.
pub fn must<T, E: Debug>(clause: &'static str, answer: Result<T, E>) -> Result<T, Broken> {
    answer.map_err(|error| Broken {
        clause,
        seen: format!("{error:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::{hold, must};

    #[test]
    fn a_broken_clause_says_what_was_seen() {
        assert!(hold("one is one", true, &1).is_ok());
        let broken = hold("one is two", false, &1).expect_err("broken");
        assert_eq!(broken.to_string(), "one is two: 1");
        let broken = must::<(), _>("it answers", Err("refused")).expect_err("broken");
        assert_eq!(broken.to_string(), "it answers: \"refused\"");
        assert_eq!(must::<_, ()>("it answers", Ok(1)).expect("kept"), 1);
    }
}
