//! Writes the JSON Schema of `flinkproc.toml` to standard output; `docs/spec.schema.json` is a copy of it.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(flinkproc_plan::spec_schema().as_bytes())
}
