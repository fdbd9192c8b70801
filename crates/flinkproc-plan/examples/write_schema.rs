//! Writes what `docs/` holds of the spec: `write_schema schema` the JSON Schema, `write_schema keys` the table of keys.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if std::env::args().nth(1).as_deref() != Some("keys") {
        return out.write_all(flinkproc_plan::spec_schema().as_bytes());
    }
    let mut section = String::new();
    for key in flinkproc_plan::spec::spec_keys() {
        let top = key.key.split('.').next().unwrap_or_default();
        if top != section {
            writeln!(
                out,
                "\n## `[{top}]`\n\n| Key | Takes | Meaning |\n|---|---|---|"
            )?;
            top.clone_into(&mut section);
        }
        writeln!(
            out,
            "| `{}` | {} | {} |",
            key.key, key.takes, key.description
        )?;
    }
    Ok(())
}
