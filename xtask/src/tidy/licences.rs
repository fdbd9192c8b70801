//! Every dependency's licence is one that lets people use this program as they like.

use super::graph::Metadata;

/// Licences that ask for no more than their text to be kept.
const PERMISSIVE: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
];

/// Whether an SPDX expression can be satisfied with permissive licences alone.
fn permissive(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    // Parentheses in crates' expressions only ever group an OR inside an AND.
    expression.split(" AND ").all(|part| {
        part.split(" OR ").any(|licence| {
            PERMISSIVE.contains(
                &licence.trim_matches(|c: char| c == '(' || c == ')' || c.is_whitespace()),
            )
        })
    })
}

pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let problem = |package: &super::graph::Package| {
        let licence = package.license.as_deref().unwrap_or("none");
        (!permissive(licence)).then(|| format!("{} has the licence `{licence}`", package.name))
    };
    metadata.packages.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::permissive;

    #[test]
    fn every_part_of_an_expression_counts() {
        for (expression, expected) in [
            ("MIT OR Apache-2.0", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("LGPL-2.1 OR MIT", true),
            ("none", false),
        ] {
            assert_eq!(permissive(expression), expected, "{expression}");
        }
    }
}
