//! Values that are never shown.

use std::fmt;

/// A value that prints as `[redacted]` and has to be asked for by name.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Hands out the value; keep it out of logs, journals and argv.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_hides_the_value() {
        let text = format!("{:?}", Some(Secret::new("hunter2")));
        assert_eq!(text, "Some([redacted])");
    }
}
