//! The spec's JSON Schema, made from its types; the copy under `docs/` is compared with it by a test.

use super::Spec;

/// The JSON Schema of `flinkproc.toml`, as text that ends with a line break.
#[must_use]
pub fn spec_schema() -> String {
    let schema = schemars::schema_for!(Spec);
    format!("{:#}\n", schema.to_value())
}
