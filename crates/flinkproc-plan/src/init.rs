//! The commented `flinkproc.toml` that `flinkproc init` writes.

/// A spec for a script, with comments on what can be written; `script` is its path as the file shall name it.
///
/// ```
/// let text = flinkproc_plan::init_spec("job.py");
/// let layers = flinkproc_plan::Layers { name: "flinkproc.toml", text: &text, ..Default::default() };
/// assert_eq!(layers.resolve()?.spec.job.script.as_deref(), Some("job.py"));
/// # Ok::<(), flinkproc_plan::SpecError>(())
/// ```
#[must_use]
pub fn init_spec(script: &str) -> String {
    // A TOML string is quoted as a JSON string is, but for what JSON leaves unescaped.
    let script = toml::Value::String(script.to_owned()).to_string();
    TEMPLATE.replace("\"job.py\"", &script)
}

const TEMPLATE: &str = include_str!("init/flinkproc.toml");

#[cfg(test)]
mod tests {
    use super::init_spec;
    use crate::layers::Layers;
    use crate::spec::Spec;

    fn read(text: &str) -> Spec {
        let layers = Layers {
            name: "flinkproc.toml",
            text,
            ..Layers::default()
        };
        layers.resolve().expect("the written spec is one").spec
    }

    #[test]
    fn any_script_is_named_as_it_is() {
        for script in ["job.py", "my \"etl\".py", "a\\b.py", "ü\u{7}.py", "it's.py"] {
            let spec = read(&init_spec(script));
            assert_eq!(spec.job.script.as_deref(), Some(script));
        }
    }

    #[test]
    fn what_stands_in_comments_is_right_too() {
        // Comments that are spec have one `# ` and look like a key or a table.
        let mut text = String::new();
        for line in init_spec("job.py").lines() {
            let inner = line.strip_prefix("# ").unwrap_or(line);
            let key = inner.split(['=', ' ', '.', '[']).next().unwrap_or_default();
            let is_key =
                inner.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let uncommented = line.starts_with("# ") && (is_key || inner.starts_with('['));
            text.push_str(if uncommented { inner } else { line });
            text.push('\n');
        }
        let spec = read(&text);
        assert_eq!(
            spec.staging.bucket.map(String::from).as_deref(),
            Some("my-bucket")
        );
        assert_eq!(spec.staging.input.len(), 1);
        assert_eq!(spec.params.len(), 2);
        assert_eq!(spec.cluster.labels.len(), 1);
        assert_eq!(spec.cluster.secondary_workers.count, Some(2));
        assert_eq!(spec.job.flink_config.len(), 1);
        assert_eq!(spec.job.jars.len(), 1);
    }
}
