//! Ids in what Flink's client says.
//!
//! Only lines that Flink and YARN's client write themselves count: a program may print any other id.

use flinkproc_core::{FlinkJobId, YarnApplicationId};

/// What stands before an application id, in `YarnClusterDescriptor` (1.12 to 2.2) and Hadoop's `YarnClientImpl`.
pub const APPLICATION: [&str; 4] = [
    "Submitting application master ",
    "Submitted application ",
    "of application '",
    "yarn application -kill ",
];

/// What stands before a job id, in `CliFrontend`, `ExecutionEnvironment` and `ClusterClient` (1.12 to 2.2).
pub const JOB: [&str; 4] = [
    "Job has been submitted with JobID ",
    "Job with JobID ",
    "Submitted job with JobID ",
    "Submitting job with JobID: ",
];

/// The YARN applications that the output tells of, each once, in their order.
#[must_use]
pub fn application_ids(output: &[u8]) -> Vec<YarnApplicationId> {
    collect(output, &APPLICATION, |c| {
        c.is_ascii_alphanumeric() || c == '_'
    })
}

/// The Flink jobs that the output tells of, each once, in their order.
#[must_use]
pub fn job_ids(output: &[u8]) -> Vec<FlinkJobId> {
    collect(output, &JOB, |c| c.is_ascii_hexdigit())
}

fn collect<T>(output: &[u8], before: &[&str], part: impl Fn(char) -> bool) -> Vec<T>
where
    T: std::str::FromStr + PartialEq,
{
    let text = String::from_utf8_lossy(output);
    let mut found = Vec::new();
    for line in text.lines() {
        let rest = before
            .iter()
            .find_map(|phrase| line.split_once(phrase).map(|(_, rest)| rest));
        let Some(rest) = rest else { continue };
        let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
        let id = rest.get(..end).and_then(|id| id.parse().ok());
        if let Some(id) = id.filter(|id| !found.contains(id)) {
            found.push(id);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{application_ids, job_ids};

    #[test]
    fn ids_of_a_per_job_run() {
        let output = "\
2026-11-22 14:51:58,271 INFO  org.apache.flink.yarn.YarnClusterDescriptor [] - Submitting application master application_1795358092534_0001
2026-11-22 14:51:58,610 INFO  org.apache.hadoop.yarn.client.api.impl.YarnClientImpl [] - Submitted application application_1795358092534_0001
2026-11-22 14:52:05,113 INFO  org.apache.flink.yarn.YarnClusterDescriptor [] - Found Web Interface 127.0.10.2:37091 of application 'application_1795358092534_0001'.
Job has been submitted with JobID 4f0d1c3b2a49587766554433221100ff
the program says application_1_1 and JobID 00000000000000000000000000000000
Program execution finished
Job with JobID 4f0d1c3b2a49587766554433221100ff has finished.
Job has been submitted with JobID aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
";
        let applications = application_ids(output.as_bytes());
        let jobs = job_ids(output.as_bytes());
        insta::assert_snapshot!(format!("{applications:?} {jobs:?}"), @r#"["application_1795358092534_0001"] ["4f0d1c3b2a49587766554433221100ff", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#);
    }

    #[test]
    fn other_bytes_and_cut_ids_are_no_ids() {
        assert!(application_ids(b"\xff\xfeSubmitted application application_17").is_empty());
        assert!(job_ids(b"Job has been submitted with JobID 4f0d").is_empty());
    }
}
