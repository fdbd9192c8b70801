//! Paths of a workflow template's fields, such as `jobs['step'].pigJob.args[0]`: read, checked and written to.

use serde_json::{Map, Value, json};

use crate::schema::camel;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Field(String),
    Key(String),
    Index(usize),
}

/// A field that a parameter may fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldPath(Vec<Part>);

/// A job's fields that hold one text, lists of texts and maps of texts, as Google's page on parameters lists them.
const TEXTS: &[&str] = &[
    "mainJarFileUri",
    "mainPythonFileUri",
    "mainRFileUri",
    "queryFileUri",
    "mainClass",
];
const LISTS: &[&str] = &[
    "args",
    "jarFileUris",
    "fileUris",
    "archiveUris",
    "pythonFileUris",
];
const MAPS: &[&str] = &["properties", "scriptVariables"];

impl FieldPath {
    /// Reads a path; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("Invalid field path '{text}'");
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(quoted) = rest.strip_prefix("['") {
                let (key, after) = quoted.split_once("']").ok_or_else(refuse)?;
                parts.push(Part::Key(key.to_owned()));
                rest = after;
            } else if let Some(number) = rest.strip_prefix('[') {
                let (number, after) = number.split_once(']').ok_or_else(refuse)?;
                parts.push(Part::Index(number.parse().map_err(|_| refuse())?));
                rest = after;
            } else {
                let name = match (rest.strip_prefix('.'), parts.is_empty()) {
                    (Some(name), false) => name,
                    (None, true) => rest,
                    _ => return Err(refuse()),
                };
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, after) = name.split_at(end);
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                {
                    return Err(refuse());
                }
                parts.push(Part::Field(match camel(name).as_str() {
                    // Google's page on parameters writes it so.
                    "pySparkJob" => "pysparkJob".to_owned(),
                    other => other.to_owned(),
                }));
                rest = after;
            }
        }
        let path = Self(parts);
        match path.may_be_filled() {
            true => Ok(path),
            false => Err(format!(
                "{}: this field can not be filled in by a parameter",
                refuse()
            )),
        }
    }

    fn may_be_filled(&self) -> bool {
        use Part::{Field, Index, Key};
        let is = |part: &str, names: &[&str]| names.contains(&part);
        match self.0.as_slice() {
            [Field(labels), Key(_)] => labels == "labels",
            [Field(placement), Field(one), Field(two)] if placement == "placement" => {
                matches!(
                    (one.as_str(), two.as_str()),
                    ("clusterSelector", "zone") | ("managedCluster", "clusterName")
                )
            }
            [Field(placement), Field(one), Field(two), Key(_)] if placement == "placement" => {
                matches!(
                    (one.as_str(), two.as_str()),
                    ("clusterSelector", "clusterLabels") | ("managedCluster", "labels")
                )
            }
            [Field(a), Field(b), Field(c), Field(group), Field(count)] => {
                let groups = &["masterConfig", "workerConfig", "secondaryWorkerConfig"];
                (a.as_str(), b.as_str(), c.as_str()) == ("placement", "managedCluster", "config")
                    && is(group, groups)
                    && count == "numInstances"
            }
            [
                Field(a),
                Field(b),
                Field(c),
                Field(actions),
                Index(_),
                Field(file),
            ] => {
                (a.as_str(), b.as_str(), c.as_str()) == ("placement", "managedCluster", "config")
                    && (actions.as_str(), file.as_str())
                        == ("initializationActions", "executableFile")
            }
            [Field(jobs), Key(_), Field(labels), Key(_)] if labels == "labels" => jobs == "jobs",
            [Field(jobs), Key(_), Field(job), rest @ ..]
                if jobs == "jobs" && job.ends_with("Job") =>
            {
                match rest {
                    [Field(text)] => is(text, TEXTS),
                    [Field(list), Index(_)] => is(list, LISTS),
                    [Field(map), Key(_)] => is(map, MAPS),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Writes a value to the field of a template; the error says why it is not there.
    pub(crate) fn fill(
        &self,
        template: &mut Map<String, Value>,
        value: &str,
    ) -> Result<(), String> {
        let (last, parents) = self.0.split_last().ok_or("an empty field path")?;
        let mut place: Option<&mut Value> = None;
        for part in parents {
            let next = match (part, place) {
                (Part::Field(name), None) => template.get_mut(name),
                (Part::Field(name), Some(place)) => place.get_mut(name),
                // The jobs are a list that is looked into by step id.
                (Part::Key(step), Some(Value::Array(jobs))) => {
                    jobs.iter_mut().find(|job| job["stepId"] == json!(step))
                }
                (Part::Key(key), Some(place)) => place.get_mut(key),
                (Part::Index(at), Some(place)) => place.get_mut(at),
                (_, None) => None,
            };
            let next =
                next.ok_or_else(|| format!("the template has no field '{}'", self.text()))?;
            place = Some(next);
        }
        let place = place.ok_or_else(|| format!("the template has no field '{}'", self.text()))?;
        let missing = || format!("the template has no field '{}'", self.text());
        let (name, value) = match last {
            Part::Field(name) if name == "numInstances" => {
                let number = value.parse::<i32>();
                (
                    name,
                    json!(number.map_err(|_| format!("'{value}' is not a number"))?),
                )
            }
            Part::Field(name) | Part::Key(name) => (name, json!(value)),
            Part::Index(at) => {
                *place.get_mut(at).ok_or_else(missing)? = json!(value);
                return Ok(());
            }
        };
        let fields = place.as_object_mut().ok_or_else(missing)?;
        fields.insert(name.clone(), value);
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Field(name) if text.is_empty() => text.push_str(name),
                Part::Field(name) => text.push_str(&format!(".{name}")),
                Part::Key(key) => text.push_str(&format!("['{key}']")),
                Part::Index(at) => text.push_str(&format!("[{at}]")),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::FieldPath;

    #[test]
    fn only_documented_fields_can_be_filled_in() {
        let check = |path: &str, expected: bool| {
            assert_eq!(FieldPath::parse(path).is_ok(), expected, "{path}");
        };
        for good in [
            "labels['a']",
            "placement.clusterSelector.zone",
            "placement.clusterSelector.clusterLabels['env']",
            "placement.managedCluster.clusterName",
            "placement.managedCluster.labels['a.b']",
            "placement.managedCluster.config.workerConfig.numInstances",
            "jobs['step-1'].labels['a']",
            "jobs['step-1'].pySparkJob.mainPythonFileUri",
            "jobs['step-1'].hadoop_job.args[0]",
            "jobs['step-1'].pigJob.scriptVariables['x']",
            "jobs['step-1'].flinkJob.properties['a.b']",
        ] {
            check(good, true);
        }
        for bad in [
            "",
            "labels",
            "id",
            "jobs['s'].pigJob.args",
            "jobs['s'].pigJob.properties",
            "jobs[0].pigJob.args[0]",
            "jobs['s'].stepId",
            "jobs['s'].pigJob.continueOnFailure",
            "placement.managedCluster.config.softwareConfig.imageVersion",
            "labels['a",
            "labels[x]",
            ".labels['a']",
            "placement..zone",
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn values_are_written_where_they_belong() {
        let template = json!({
            "labels": {"a": "1"},
            "placement": {"managedCluster": {"clusterName": "c", "config": {"workerConfig": {}}}},
            "jobs": [{"stepId": "one", "pigJob": {"properties": {}}}, {"stepId": "two", "hadoopJob": {"args": ["x", "y"]}}],
        });
        let check = |path: &str, value: &str, at: &str, expected: Result<Value, &str>| {
            let mut template = template.as_object().cloned().unwrap();
            let filled = FieldPath::parse(path).unwrap().fill(&mut template, value);
            let got = filled.map(|()| Value::Object(template).pointer(at).cloned().unwrap());
            assert_eq!(got, expected.map_err(str::to_owned), "{path}");
        };
        check("labels['a']", "2", "/labels/a", Ok(json!("2")));
        check(
            "jobs['two'].hadoopJob.args[1]",
            "z",
            "/jobs/1/hadoopJob/args/1",
            Ok(json!("z")),
        );
        check(
            "jobs['one'].pigJob.properties['k.v']",
            "w",
            "/jobs/0/pigJob/properties/k.v",
            Ok(json!("w")),
        );
        let workers = "placement.managedCluster.config.workerConfig.numInstances";
        check(
            workers,
            "3",
            "/placement/managedCluster/config/workerConfig/numInstances",
            Ok(json!(3)),
        );
        check(workers, "many", "", Err("'many' is not a number"));
        check(
            "jobs['two'].hadoopJob.args[2]",
            "z",
            "",
            Err("the template has no field 'jobs['two'].hadoopJob.args[2]'"),
        );
        check(
            "jobs['no'].hadoopJob.args[0]",
            "z",
            "",
            Err("the template has no field 'jobs['no'].hadoopJob.args[0]'"),
        );
    }
}
