//! Where a value of the spec was written: the file and line, or the flag, variable or configuration that gave it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Who gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The spec file, outside any target.
    File,
    /// The overlay of this name in the spec file.
    Target(String),
    /// A flag, shown as it was written: `--set cluster.image` or `--region`.
    Flag(String),
    /// This environment variable.
    Environment(String),
    /// Something outside flinkproc, such as `gcloud configuration`.
    Outside(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("spec"),
            Self::Target(name) => write!(f, "target {name}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(text) | Self::Outside(text) => f.write_str(text),
        }
    }
}

/// The spec file's name and text, kept to show the line that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecText {
    /// The file, as it was named.
    pub name: Arc<str>,
    /// Its whole content.
    pub text: Arc<str>,
}

impl SpecText {
    /// Names a text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }
}

/// The origin of one node: who, and which bytes of the spec's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) span: Option<Range<usize>>,
}

/// A place to look at; it shows as `flinkproc.toml:12:3`, or as the flag or variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who gave the value.
    pub source: Source,
    /// Line and column, both from 1 and counted in characters, where the value is in the spec.
    pub position: Option<(usize, usize)>,
    name: Arc<str>,
    line: String,
    width: usize,
}

impl Place {
    pub(crate) fn new(text: &SpecText, origin: &Origin) -> Self {
        let mut place = Self {
            source: origin.source.clone(),
            position: None,
            name: Arc::clone(&text.name),
            line: String::new(),
            width: 1,
        };
        if let Some(span) = &origin.span {
            let before = text.text.get(..span.start).unwrap_or(&text.text);
            let start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = text.text.get(start..).unwrap_or_default();
            let line = line.lines().next().unwrap_or_default();
            let column = before.get(start..).unwrap_or_default().chars().count() + 1;
            let marked = text.text.get(span.clone()).unwrap_or_default();
            let marked = marked.lines().next().unwrap_or_default().chars().count();
            place.position = Some((before.matches('\n').count() + 1, column));
            place.width = marked.max(1);
            line.clone_into(&mut place.line);
        }
        place
    }

    /// The line itself with the value marked below it, each line indented; nothing for a value that no file holds.
    #[must_use]
    pub fn excerpt(&self) -> Option<String> {
        let (number, column) = self.position?;
        let gutter = number.to_string();
        let blank = " ".repeat(gutter.len());
        // Tabs stay tabs, so that the mark stands below the value whatever their width.
        let indent: String = self
            .line
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let mark = "^".repeat(self.width);
        Some(format!(
            "  {gutter} | {}\n  {blank} | {indent}{mark}",
            self.line
        ))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.name),
            None if self.source == Source::File => f.write_str(&self.name),
            None => self.source.fmt(f),
        }
    }
}

/// A key of the spec, with the place of its value where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The key: `job.script`.
    pub key: String,
    /// Where its value was written.
    pub place: Option<Box<Place>>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.key)?;
        let Some(place) = &self.place else {
            return Ok(());
        };
        write!(f, " at {place}")?;
        place
            .excerpt()
            .map_or(Ok(()), |excerpt| write!(f, "\n{excerpt}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Place, Source, SpecText};

    #[test]
    fn a_place_shows_line_column_and_the_line() {
        let text = SpecText::new("flinkproc.toml", "[job]\n\tnäme = 3 # x\n");
        let start = text.text.find('3').expect("there");
        let place = Place::new(
            &text,
            &Origin {
                source: Source::File,
                span: Some(start..start + 1),
            },
        );
        assert_eq!(place.to_string(), "flinkproc.toml:2:9");
        assert_eq!(
            place.excerpt().as_deref(),
            Some("  2 | \tnäme = 3 # x\n    | \t       ^")
        );
    }
}
