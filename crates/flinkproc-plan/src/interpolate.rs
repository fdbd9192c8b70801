//! `${…}` in the spec's texts: parameters, the deployment's id and its home in the bucket.

use std::collections::BTreeMap;

use crate::spec::ParamSpec;
use crate::spec_error::SpecError;

/// The names that a text may use, and what they stand for.
///
/// `${params.day}`, `${deployment}` and `${staging}` are replaced; `$${` stands for `${`; any other `$` is itself.
/// What a name stands for is not read again, so a parameter's value may hold anything.
///
/// ```
/// use flinkproc_plan::Variables;
///
/// let variables = Variables::new([("deployment", "etl-1")]);
/// assert_eq!(variables.expand("job.args[0]", "it's $5, $(x), ${deployment}, $${HOME}")?, "it's $5, $(x), etl-1, ${HOME}");
/// # Ok::<(), flinkproc_plan::SpecError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Names and their values.
    pub fn new<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// The parameters of a spec as `params.NAME`, with what `--param` gives.
    ///
    /// # Errors
    /// When a given parameter is not declared, a value does not fit its declaration, or one is missing.
    pub fn of_params(
        declared: &BTreeMap<String, ParamSpec>,
        given: &[(String, String)],
    ) -> Result<Self, SpecError> {
        let mut values: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in given {
            if !declared.contains_key(name) {
                return Err(SpecError::UndeclaredParam {
                    name: name.clone(),
                    known: declared.keys().cloned().collect(),
                });
            }
            values.insert(name, value);
        }
        declared
            .iter()
            .map(|(name, param)| {
                let default = || param.default.as_ref().map(ToString::to_string);
                let value = values
                    .get(name.as_str())
                    .map(ToString::to_string)
                    .or_else(default)
                    .ok_or_else(|| SpecError::MissingParam { name: name.clone() })?;
                check_param(name, param, &value)?;
                Ok((format!("params.{name}"), value))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// This and one more name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Replaces every name in a text, which is the value of `key`.
    ///
    /// # Errors
    /// When a name is not known, or a brace is not closed.
    pub fn expand(&self, key: &str, text: &str) -> Result<String, SpecError> {
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, found) = rest.split_at(at);
            if let Some(literal) = before.strip_suffix('$') {
                done.push_str(literal);
                done.push_str("${");
                rest = found.get(2..).unwrap_or_default();
                continue;
            }
            done.push_str(before);
            let (name, after) = found
                .get(2..)
                .and_then(|inner| inner.split_once('}'))
                .ok_or_else(|| SpecError::UnclosedVariable {
                    key: key.to_owned(),
                })?;
            let value = self.0.get(name).ok_or_else(|| SpecError::UnknownVariable {
                key: key.to_owned(),
                name: name.to_owned(),
                known: self.0.keys().cloned().collect(),
            })?;
            done.push_str(value);
            rest = after;
        }
        done.push_str(rest);
        Ok(done)
    }
}

fn check_param(name: &str, param: &ParamSpec, value: &str) -> Result<(), SpecError> {
    let invalid = |problem: String| SpecError::InvalidParam {
        name: name.to_owned(),
        value: value.to_owned(),
        problem,
    };
    let inferred = || param.default.as_ref().map(crate::spec::Scalar::kind);
    let kind = param.kind.or_else(inferred).unwrap_or_default();
    if !kind.accepts(value) {
        return Err(invalid(format!("it takes a value of type {kind}")));
    }
    let choices: Vec<String> = param.choices.iter().map(ToString::to_string).collect();
    if choices.is_empty() || choices.iter().any(|choice| choice == value) {
        Ok(())
    } else {
        Err(invalid(format!("it takes `{}`", choices.join("` or `"))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flinkproc_core::Explain;
    use proptest::prelude::*;

    use super::Variables;
    use crate::spec::{ParamSpec, ParamType, Scalar};

    fn variables() -> Variables {
        Variables::new([
            ("deployment", "etl-1"),
            ("staging", "gs://b/flinkproc/deployments/etl-1"),
            ("params.day", "${deployment}"),
        ])
    }

    #[test]
    fn names_are_replaced_and_all_else_stays() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                variables().expand("job.args[0]", text).as_deref(),
                Ok(expected)
            );
        };
        check(
            "${staging}/input/*",
            "gs://b/flinkproc/deployments/etl-1/input/*",
        );
        check("it's $5", "it's $5");
        check("$(x) $x $ $$ }{", "$(x) $x $ $$ }{");
        check("$${HOME}", "${HOME}");
        check("$$${deployment}", "$${deployment}");
        check("$$ ${deployment}", "$$ etl-1");
        check("${params.day}", "${deployment}");
        check("", "");
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let check = |text: &str| match variables().expand("job.args[1]", text) {
            Ok(text) => text,
            Err(error) => format!(
                "{}: {error}\n{}",
                error.code(),
                error.help().unwrap_or_default()
            ),
        };
        insta::assert_snapshot!(check("${param.day}"), @"
        SPC009: `${param.day}` in `job.args[1]` stands for nothing
        Did you mean `params.day`? There are these names: `deployment`, `params.day`, `staging`. For a literal `${` write `$${`.
        ");
        insta::assert_snapshot!(check("${HOME"), @"
        SPC010: `${` in `job.args[1]` has no `}`
        Close it, or write `$${` for a literal `${`.
        ");
    }

    #[test]
    fn parameters_are_typed() {
        let declared = BTreeMap::from([
            (
                "limit".to_owned(),
                ParamSpec {
                    default: Some(Scalar::Integer(10)),
                    ..ParamSpec::default()
                },
            ),
            (
                "mode".to_owned(),
                ParamSpec {
                    kind: Some(ParamType::String),
                    choices: vec![Scalar::Text("full".into()), Scalar::Text("delta".into())],
                    ..ParamSpec::default()
                },
            ),
        ]);
        let check = |given: &[(&str, &str)]| {
            let given: Vec<_> = given
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            match Variables::of_params(&declared, &given) {
                Ok(values) => format!("{:?}", values.0),
                Err(error) => format!("{}: {error}", error.code()),
            }
        };
        insta::assert_snapshot!(check(&[("mode", "full")]), @r#"{"params.limit": "10", "params.mode": "full"}"#);
        insta::assert_snapshot!(check(&[("mode", "full"), ("limit", "3")]), @r#"{"params.limit": "3", "params.mode": "full"}"#);
        insta::assert_snapshot!(check(&[("mode", "full"), ("limit", "3x")]), @"SPC007: `3x` cannot be the value of the parameter `limit`: it takes a value of type integer");
        insta::assert_snapshot!(check(&[("mode", "none")]), @"SPC007: `none` cannot be the value of the parameter `mode`: it takes `full` or `delta`");
        insta::assert_snapshot!(check(&[("moed", "full")]), @"SPC006: the spec declares no parameter `moed`");
        insta::assert_snapshot!(check(&[]), @"SPC008: the parameter `mode` has no value");
    }

    proptest! {
        #[test]
        fn an_escaped_text_comes_back(text in "[${}a ü]{0,16}") {
            let escaped = text.replace("${", "$${");
            prop_assert_eq!(variables().expand("x", &escaped), Ok(text));
        }

        #[test]
        fn a_text_without_a_name_is_untouched(text in "[^{]{0,60}") {
            prop_assert_eq!(variables().expand("x", &text), Ok(text));
        }
    }
}
