//! The parameters of a workflow template: what they may be called, which fields they fill in, and with what.

use regex::Regex;
use serde_json::{Map, Value};

use crate::failure::ApiFailure;
use crate::template::refuse;
use crate::template_field::FieldPath;

/// The parameters of a template.
#[derive(Debug, Default)]
pub(crate) struct Parameters(pub(crate) Vec<Parameter>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) fields: Vec<FieldPath>,
    /// One of them has to fit the whole value.
    pub(crate) regexes: Vec<Regex>,
    pub(crate) values: Vec<String>,
}

impl Parameters {
    pub(crate) fn read(resource: &Map<String, Value>) -> Result<Self, ApiFailure> {
        let texts = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            let texts = items.filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut filled: Vec<FieldPath> = Vec::new();
        let given = resource.get("parameters").and_then(Value::as_array);
        for (at, given) in given.into_iter().flatten().enumerate() {
            let field = |name: &str| format!("parameters[{at}].{name}");
            let name = given["name"].as_str().unwrap_or_default();
            let inner = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            let fits = (1..=40).contains(&name.len())
                && name.bytes().all(inner)
                && name.starts_with(|c: char| c.is_ascii_uppercase());
            if !fits {
                return Err(refuse(
                    &field("name"),
                    format!(
                        "Invalid parameter name '{name}': at most 40 capital letters, numbers and underscores, beginning with a letter"
                    ),
                ));
            }
            if parameters.iter().any(|other| other.name == name) {
                let message = format!("The parameter '{name}' is there more than once");
                return Err(refuse(&field("name"), message));
            }
            let mut fields = Vec::new();
            for text in texts(&given["fields"]) {
                let path = FieldPath::parse(&text).map_err(|why| refuse(&field("fields"), why))?;
                if filled.contains(&path) {
                    let message =
                        format!("The field '{text}' is filled in by more than one parameter");
                    return Err(refuse(&field("fields"), message));
                }
                filled.push(path.clone());
                fields.push(path);
            }
            if fields.is_empty() {
                let message = format!("The parameter '{name}' has no fields");
                return Err(refuse(&field("fields"), message));
            }
            let validation = &given["validation"];
            let mut regexes = Vec::new();
            for text in texts(&validation["regex"]["regexes"]) {
                let whole = Regex::new(&format!("^(?:{text})$"));
                regexes.push(whole.map_err(|_| {
                    let message = format!("Invalid regular expression '{text}'");
                    refuse(&field("validation.regex"), message)
                })?);
            }
            parameters.push(Parameter {
                name: name.to_owned(),
                fields,
                regexes,
                values: texts(&validation["values"]["values"]),
            });
        }
        Ok(Self(parameters))
    }

    /// Refuses fields that the template does not have.
    pub(crate) fn check_fields(&self, resource: &Map<String, Value>) -> Result<(), ApiFailure> {
        for (at, parameter) in self.0.iter().enumerate() {
            for path in &parameter.fields {
                // A number is text that every field can take.
                let filled = path.fill(&mut resource.clone(), "1");
                filled.map_err(|why| refuse(&format!("parameters[{at}].fields"), why))?;
            }
        }
        Ok(())
    }
}
