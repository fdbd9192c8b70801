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
