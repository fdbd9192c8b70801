//! The resource `WorkflowTemplate`: what of a request is refused, and what its parameters make of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::failure::{ApiFailure, Code};
use crate::policy::is_id;
use crate::resource::checked_labels;
use crate::schema::{canonical, duration_millis};
use crate::template_parameters::{Parameter, Parameters};

/// The types of job that a template may have and that can run here.
const RUNNABLE: &[&str] = &["hadoopJob", "pysparkJob", "pigJob", "flinkJob"];
const MAX_LABELS: usize = 32;
/// Characters of a parameter's value at most.
const LONGEST_VALUE: usize = 1000;

/// One template.
#[derive(Debug)]
pub(crate) struct TemplateRecord {
    /// The present version, as the API answers it but for its name.
    pub(crate) resource: Map<String, Value>,
    pub(crate) version: i64,
    /// Earlier versions that were instantiated; only these can still be read.
    pub(crate) earlier: BTreeMap<i64, Map<String, Value>>,
    /// Whether the present version was instantiated.
    pub(crate) used: bool,
}

impl TemplateRecord {
    /// The version that is asked for; 0 is the present one.
    pub(crate) fn version(&self, asked: i64) -> Option<&Map<String, Value>> {
        match asked {
            0 => Some(&self.resource),
            asked if asked == self.version => Some(&self.resource),
            asked => self.earlier.get(&asked),
        }
    }
}

pub(crate) fn refuse(field: &str, message: impl Into<String>) -> ApiFailure {
    let field = match field {
        "" => "template".to_owned(),
        field => format!("template.{field}"),
    };
    ApiFailure::invalid_field(&field, message)
}

/// Checks a template as it came in a request.
pub(crate) fn accept(body: &Value) -> Result<Map<String, Value>, ApiFailure> {
    let mut resource = canonical("WorkflowTemplate", body, "template")?;
    for output_only in ["name", "createTime", "updateTime"] {
        resource.remove(output_only);
    }
    check_labels(&resource, "labels")?;
    check_placement(resource.get("placement"))?;
    let steps = check_jobs(&resource)?;
    if let Some(timeout) = resource.get("dagTimeout").and_then(Value::as_str) {
        const MINUTE: i64 = 60_000;
        let millis = duration_millis(timeout).unwrap_or(0);
        if !(10 * MINUTE..=24 * 60 * MINUTE).contains(&millis) {
            let message =
                format!("Invalid DAG timeout '{timeout}': must be from 10 minutes to 24 hours");
            return Err(refuse("dag_timeout", message));
        }
    }
    let parameters = Parameters::read(&resource)?;
    parameters.check_fields(&resource)?;
    tracing::trace!(steps, "a workflow template was checked");
    Ok(resource)
}

/// Refuses a template that cannot run yet: gcloud makes them empty, and then gives them a placement and jobs one by one.
fn check_whole(resource: &Map<String, Value>) -> Result<(), ApiFailure> {
    let placement = resource.get("placement").and_then(Value::as_object);
    if placement.is_none_or(Map::is_empty) {
        return Err(refuse(
            "placement",
            "Placement is required: a managed cluster or a cluster selector",
        ));
    }
    let jobs = resource.get("jobs").and_then(Value::as_array);
    if jobs.is_none_or(Vec::is_empty) {
        return Err(refuse("jobs", "At least one job is required"));
    }
    Ok(())
}

/// Checks the id of a template that is to be kept.
pub(crate) fn checked_id(resource: &Map<String, Value>) -> Result<String, ApiFailure> {
    let id = resource.get("id").and_then(Value::as_str);
    let id = id.unwrap_or_default();
    match is_id(id) {
        true => Ok(id.to_owned()),
        false => Err(refuse(
            "id",
            format!(
                "Invalid template id '{id}': 3 to 50 letters, numbers, underscores and hyphens, not beginning or ending with an underscore or a hyphen"
            ),
        )),
    }
}

fn check_labels(object: &Map<String, Value>, field: &str) -> Result<(), ApiFailure> {
    let labels = checked_labels(object)?;
    match labels.len() > MAX_LABELS {
        true => Err(refuse(
            field,
            format!("Too many labels: {} of {MAX_LABELS} allowed", labels.len()),
        )),
        false => Ok(()),
    }
}

fn check_placement(placement: Option<&Value>) -> Result<(), ApiFailure> {
    let of = |key: &str| placement.and_then(|placement| placement.get(key));
    match (of("managedCluster"), of("clusterSelector")) {
        (Some(_), Some(_)) => Err(refuse(
            "placement",
            "Invalid value at 'template.placement' (oneof), oneof field 'placement' is already set. Cannot set 'clusterSelector'",
        )),
        (None, None) => Ok(()),
        (None, Some(selector)) => {
            let labels = selector["clusterLabels"].as_object();
            match labels.is_none_or(Map::is_empty) {
                true => Err(refuse(
                    "placement.cluster_selector.cluster_labels",
                    "Cluster labels are required",
                )),
                false => Ok(()),
            }
        }
        (Some(cluster), None) => {
            let name = cluster["clusterName"].as_str().unwrap_or_default();
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let fits = (2..=35).contains(&name.len())
                && name.bytes().all(inner)
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && !name.ends_with('-');
            if !fits {
                return Err(refuse(
                    "placement.managed_cluster.cluster_name",
                    format!(
                        "Invalid cluster name '{name}': 2 to 35 lower-case letters, numbers and hyphens, beginning with a letter and not ending with a hyphen"
                    ),
                ));
            }
            if cluster.get("config").is_none() {
                let field = "placement.managed_cluster.config";
                return Err(refuse(field, "Cluster configuration is required"));
            }
            match cluster.as_object() {
                Some(cluster) => check_labels(cluster, "placement.managed_cluster.labels"),
                None => Ok(()),
            }
        }
    }
}

/// The field that says a step's type.
pub(crate) fn job_type(job: &Value) -> Option<&str> {
    let mut keys = job.as_object()?.keys();
    keys.find(|key| key.ends_with("Job")).map(String::as_str)
}

/// Checks the graph of jobs and gives its size.
fn check_jobs(resource: &Map<String, Value>) -> Result<usize, ApiFailure> {
    let jobs = resource.get("jobs").and_then(Value::as_array);
    let jobs = jobs.map_or(&[][..], Vec::as_slice);
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, job) in jobs.iter().enumerate() {
        let field = |name: &str| format!("jobs[{at}].{name}");
        let step = job["stepId"].as_str().unwrap_or_default();
        if !is_id(step) {
            return Err(refuse(
                &field("step_id"),
                format!(
                    "Invalid step id '{step}': 3 to 50 letters, numbers, underscores and hyphens, not beginning or ending with an underscore or a hyphen"
                ),
            ));
        }
        let types = job.as_object().into_iter().flatten();
        let types = types.filter(|(key, _)| key.ends_with("Job")).count();
        if types != 1 {
            return Err(refuse(
                &format!("jobs[{at}]"),
                format!("Step '{step}' must specify exactly one job type"),
            ));
        }
        if let Some(job) = job.as_object() {
            check_labels(job, &field("labels"))?;
        }
        let before = job["prerequisiteStepIds"].as_array();
        let before = before.into_iter().flatten().filter_map(Value::as_str);
        if needs.insert(step, before.collect()).is_some() {
            let message = format!("Step id '{step}' is used more than once");
            return Err(refuse(&field("step_id"), message));
        }
    }
    for (at, job) in jobs.iter().enumerate() {
        let step = job["stepId"].as_str().unwrap_or_default();
        let unknown = needs.get(step).into_iter().flatten();
        if let Some(unknown) = unknown.copied().find(|need| !needs.contains_key(need)) {
            return Err(refuse(
                &format!("jobs[{at}].prerequisite_step_ids"),
                format!("Step '{step}' has the unknown prerequisite '{unknown}'"),
            ));
        }
    }
    // Take away what needs nothing any more until nothing is left, or nothing goes.
    while !needs.is_empty() {
        let free: Vec<&str> = needs
            .iter()
            .filter(|(_, before)| before.iter().all(|need| !needs.contains_key(need)))
            .map(|(step, _)| *step)
            .collect();
        if free.is_empty() {
            let circle: Vec<&str> = needs.keys().copied().collect();
            let message = format!(
                "The prerequisites of the steps {} form a cycle",
                circle.join(", ")
            );
            return Err(refuse("jobs", message));
        }
        for step in free {
            needs.remove(step);
        }
    }
    Ok(jobs.len())
}

/// Fills the parameters of an accepted template in and leaves what can be run.
pub(crate) fn fill_in(
    mut template: Map<String, Value>,
    given: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, ApiFailure> {
    let refuse = |name: &str, message: String| {
        Err(ApiFailure::invalid_field(
            &format!("parameters[{name}]"),
            message,
        ))
    };
    check_whole(&template)?;
    let parameters = Parameters::read(&template)?;
    for name in given.keys() {
        if !parameters.0.iter().any(|own| own.name == *name) {
            return refuse(name, format!("The template has no parameter '{name}'"));
        }
    }
    for Parameter {
        name,
        fields,
        regexes,
        values,
    } in &parameters.0
    {
        let Some(value) = given.get(name) else {
            return refuse(name, format!("The parameter '{name}' is required"));
        };
        if value.chars().count() > LONGEST_VALUE {
            let message = format!("The value of '{name}' has more than {LONGEST_VALUE} characters");
            return refuse(name, message);
        }
        let by_regex = regexes.is_empty() || regexes.iter().any(|regex| regex.is_match(value));
        if !by_regex || !values.is_empty() && !values.contains(value) {
            let message = format!("The value '{value}' of '{name}' does not pass its validation");
            return refuse(name, message);
        }
        for field in fields {
            if let Err(why) = field.fill(&mut template, value) {
                return refuse(
                    name,
                    format!("The value '{value}' of '{name}' can not be used: {why}"),
                );
            }
        }
    }
    template.remove("parameters");
    // A value may have made a name or a label wrong.
    check_placement(template.get("placement"))?;
    check_labels(&template, "labels")?;
    for job in template
        .get("jobs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let kind = job_type(job).unwrap_or_default();
        if !RUNNABLE.contains(&kind) {
            return Err(ApiFailure::not_emulated(&format!(
                "a job of the type {kind}"
            )));
        }
    }
    Ok(template)
}

/// The error of a version that is not the present one.
pub(crate) fn stale(given: i64, present: i64) -> ApiFailure {
    ApiFailure::new(
        Code::FailedPrecondition,
        format!("The version {given} of the template is not its present version {present}"),
    )
}

/// Writes what the service decides into an accepted template.
pub(crate) fn stamp(resource: &mut Map<String, Value>, version: i64, created: &str, updated: &str) {
    resource.insert("version".to_owned(), json!(version));
    resource.insert("createTime".to_owned(), json!(created));
    resource.insert("updateTime".to_owned(), json!(updated));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::{accept, fill_in};

    fn template(change: impl FnOnce(&mut Value)) -> Value {
        let mut template = json!({
            "id": "abc",
            "placement": {"managedCluster": {"clusterName": "wf", "config": {}}},
            "jobs": [
                {"stepId": "one", "pigJob": {"queryList": {"queries": ["sh true"]}}},
                {"stepId": "two", "hadoopJob": {"mainClass": "A", "args": ["x"]}, "prerequisiteStepIds": ["one"]},
            ],
        });
        change(&mut template);
        template
    }

    #[test]
    fn a_template_may_be_half_made_but_not_run() {
        let check = |change: fn(&mut Value), part: &str| {
            let accepted = accept(&template(change)).unwrap();
            let message = fill_in(accepted, &BTreeMap::new()).unwrap_err().message;
            assert!(message.contains(part), "{message}");
        };
        check(|t| t["jobs"] = json!([]), "At least one job");
        check(|t| t["placement"] = Value::Null, "Placement is required");
    }

    #[test]
    fn wrong_templates_are_refused_by_field() {
        assert!(accept(&template(|_| {})).is_ok());
        let check = |change: fn(&mut Value), part: &str| {
            let message = accept(&template(change)).unwrap_err().message;
            assert!(message.contains(part), "{message}");
        };
        check(
            |t| t["jobs"][0]["stepId"] = json!("x"),
            "Invalid step id 'x'",
        );
        check(|t| t["jobs"][1]["stepId"] = json!("one"), "more than once");
        check(
            |t| t["jobs"][1]["prerequisiteStepIds"] = json!(["six"]),
            "unknown prerequisite 'six'",
        );
        check(
            |t| t["jobs"][0]["prerequisiteStepIds"] = json!(["two"]),
            "one, two form a cycle",
        );
        check(
            |t| t["jobs"][0]["hadoopJob"] = json!({}),
            "exactly one job type",
        );
        check(
            |t| t["placement"]["clusterSelector"] = json!({}),
            "already set",
        );
        check(
            |t| t["placement"] = json!({"clusterSelector": {}}),
            "labels are required",
        );
        check(
            |t| t["placement"]["managedCluster"]["clusterName"] = json!("a"),
            "Invalid cluster name 'a'",
        );
        check(
            |t| t["dagTimeout"] = json!("599s"),
            "10 minutes to 24 hours",
        );
        check(
            |t| t["parameters"] = json!([{"name": "lower", "fields": ["labels['a']"]}]),
            "Invalid parameter name",
        );
        check(
            |t| t["parameters"] = json!([{"name": "A", "fields": []}]),
            "no fields",
        );
        check(
            |t| t["parameters"] = json!([{"name": "A", "fields": ["jobs['six'].pigJob.args[0]"]}]),
            "no field",
        );
        check(
            |t| {
                let field = "jobs['two'].hadoopJob.args[0]";
                t["parameters"] =
                    json!([{"name": "A", "fields": [field]}, {"name": "B", "fields": [field]}]);
            },
            "more than one parameter",
        );
        check(
            |t| {
                let regex = json!({"regex": {"regexes": ["("]}});
                t["parameters"] = json!([{"name": "A", "fields": ["jobs['two'].hadoopJob.args[0]"], "validation": regex}]);
            },
            "Invalid regular expression",
        );
    }

    #[test]
    fn parameters_are_checked_and_filled_in() {
        let template = accept(&template(|t| {
            let regex = json!({"regex": {"regexes": ["a+", "b"]}});
            let values = json!({"values": {"values": ["2", "3"]}});
            t["placement"]["managedCluster"]["config"] = json!({"workerConfig": {}});
            t["parameters"] = json!([
                {"name": "ARG", "fields": ["jobs['two'].hadoopJob.args[0]"], "validation": regex},
                {"name": "MANY", "fields": ["placement.managedCluster.config.workerConfig.numInstances"], "validation": values},
            ]);
        }))
        .unwrap();
        let check = |given: &[(&str, &str)], expected: Result<(), &str>| {
            let given: BTreeMap<String, String> = given
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            match (fill_in(template.clone(), &given), expected) {
                (Ok(filled), Ok(())) => {
                    assert_eq!(filled["jobs"][1]["hadoopJob"]["args"][0], given["ARG"]);
                    let config = &filled["placement"]["managedCluster"]["config"];
                    assert_eq!(
                        config["workerConfig"]["numInstances"].to_string(),
                        given["MANY"]
                    );
                }
                (Err(failure), Err(part)) => assert!(failure.message.contains(part), "{failure:?}"),
                (got, expected) => assert_eq!(
                    got.map(|_| ()).map_err(|f| f.message),
                    expected.map_err(str::to_owned)
                ),
            }
        };
        check(&[("ARG", "aaa"), ("MANY", "2")], Ok(()));
        check(&[("ARG", "b"), ("MANY", "3")], Ok(()));
        check(
            &[("ARG", "ab"), ("MANY", "3")],
            Err("does not pass its validation"),
        );
        check(
            &[("ARG", "a"), ("MANY", "4")],
            Err("does not pass its validation"),
        );
        check(&[("ARG", "a")], Err("'MANY' is required"));
        check(
            &[("ARG", "a"), ("MANY", "2"), ("X", "")],
            Err("no parameter 'X'"),
        );
    }
}
