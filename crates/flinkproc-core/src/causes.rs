//! What lies behind an error: its causes, and their words.

use std::error::Error;
use std::iter::successors;

/// The causes of an error, outermost first, without the error itself.
pub fn causes<'a>(error: &'a dyn Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(error.source(), |cause| (**cause).source())
}

/// The words of an error and then of its causes; what was said before is left out, since many errors repeat their source.
///
/// ```
/// use flinkproc_core::messages;
///
/// let inner = std::io::Error::other("the disk is full");
/// let outer = std::io::Error::other(inner);
/// assert_eq!(messages(&outer), ["the disk is full"]);
/// ```
#[must_use]
pub fn messages(error: &dyn Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    for cause in causes(error) {
        let text = cause.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::messages;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn every_layer_speaks_once() {
        let texts = [
            "connection lost: reset",
            "reset",
            "by the peer",
            "connection lost: reset",
        ];
        let chain = texts
            .into_iter()
            .rev()
            .fold(None, |source, text| Some(Box::new(Layer { text, source })));
        let error = chain.expect("not empty");
        assert_eq!(messages(&*error), ["connection lost: reset", "by the peer"]);
    }
}
