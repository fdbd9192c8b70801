//! Hadoop's configuration files.

use std::fmt::Write as _;

/// Writes settings in the form of `core-site.xml`.
pub(crate) fn configuration<'a>(settings: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("<?xml version=\"1.0\"?>\n<configuration>\n");
    for (name, value) in settings {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  <property><name>{}</name><value>{}</value></property>",
            escape(name),
            escape(&value)
        );
    }
    text.push_str("</configuration>\n");
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::configuration;

    #[test]
    fn values_are_escaped() {
        let text = configuration([("a.b", "x < y & z".to_owned())]);
        assert!(text.contains("<name>a.b</name><value>x &lt; y &amp; z</value>"));
    }
}
