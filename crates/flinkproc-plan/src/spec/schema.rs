//! The spec's JSON Schema, made from its types; the copy under `docs/` is compared with it by a test.

use super::Spec;

/// The JSON Schema of `flinkproc.toml`, as text that ends with a line break.
#[must_use]
pub fn spec_schema() -> String {
    let schema = schemars::schema_for!(Spec);
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::spec_schema;

    #[test]
    fn the_copy_in_the_docs_is_the_schema_of_the_types() {
        let copy = include_str!("../../../../docs/spec.schema.json");
        assert!(
            copy == spec_schema(),
            "write it anew: cargo run -p flinkproc-plan --example write_schema schema > docs/spec.schema.json"
        );
    }
}
