//! Names and ids that were checked once, where they came in.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text that cannot be the name it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {what}: {rule}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What was written.
    pub text: String,
    /// What it should have been.
    pub what: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("The ", $what, " as text.")]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { text: text.to_owned(), what: $what, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $rule})
            }
        }
    };
}

fn lower_dash(text: &str, max: usize) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= max
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|b| *b != b'-')
        && bytes.iter().all(|b| lower_digit(*b) || *b == b'-')
}

const fn lower_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn word(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5
        && parts
            .iter()
            .zip([8, 4, 4, 4, 12])
            .all(|(part, length)| hex(part, length))
}

name!(
    /// A Google Cloud project id.
    ProjectId, "project id",
    "6 to 30 lower-case letters, digits or hyphens, starting with a letter, after an optional `domain:`",
    |text| {
        let id = text.rsplit_once(':').map_or(text, |(_, id)| id);
        id.len() >= 6 && lower_dash(id, 30)
    }
);
name!(
    /// A Google Cloud region, such as `europe-west4`.
    Region, "region", "lower-case letters, digits and hyphens, such as `europe-west4`",
    |text| lower_dash(text, 40) && text.contains('-')
);
name!(
    /// A Google Cloud zone, such as `europe-west4-a`.
    Zone, "zone", "a region, a hyphen and a letter, such as `europe-west4-a`",
    |text| lower_dash(text, 45) && text.split('-').count() >= 3
);
name!(
    /// The name of a Dataproc cluster.
    ///
    /// The service's rule, from its API reference: at most 52 characters, `[a-z]([-a-z0-9]*[a-z0-9])?`.
    ClusterName, "cluster name",
    "at most 52 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
    |text| lower_dash(text, 52)
);
name!(
    /// The UUID that Dataproc gives to each cluster; two clusters of one name differ in it.
    ClusterUuid, "cluster UUID", "five groups of lower-case hexadecimal digits", uuid
);
name!(
    /// A Cloud Storage bucket.
    BucketName, "bucket name",
    "3 to 63 lower-case letters, digits, dots, hyphens or underscores, starting and ending with a letter or digit",
    |text| {
        let bytes = text.as_bytes();
        (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| lower_digit(*b) || matches!(b, b'-' | b'_' | b'.'))
            && bytes.first().is_some_and(|b| lower_digit(*b))
            && bytes.last().is_some_and(|b| lower_digit(*b))
    }
);
name!(
    /// The idempotency key of a request: Dataproc answers a repeated one with the first one's operation.
    RequestId, "request id", "1 to 40 letters, digits, hyphens or underscores", |text| word(text, 40)
);
name!(
    /// A job id in Dataproc's Jobs API, chosen by us.
    DataprocJobId, "Dataproc job id", "1 to 100 letters, digits, hyphens or underscores", |text| word(text, 100)
);
name!(
    /// One deployment: chosen before its first outside effect, it names everything that the deployment makes.
    DeploymentId, "deployment id",
    "at most 40 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen",
    |text| lower_dash(text, 40)
);
name!(
    /// A user's own name for a run; the same key is the same run.
    RunKey, "run key", "1 to 128 characters, none of them a control character",
    |text| !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control)
);
name!(
    /// A YARN application id, such as `application_1700000000000_0001`.
    YarnApplicationId, "YARN application id", "`application_`, a timestamp, `_` and a number",
    |text| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.strip_prefix("application_")
            .and_then(|rest| rest.split_once('_'))
            .is_some_and(|(stamp, number)| digits(stamp) && digits(number))
    }
);
name!(
    /// A Flink job id: 32 hexadecimal digits.
    FlinkJobId, "Flink job id", "32 lower-case hexadecimal digits", |text| hex(text, 32)
);
name!(
    /// One version of a secret in Secret Manager, by its full name; never its value.
    SecretVersion, "secret version", "`projects/PROJECT/secrets/SECRET/versions/VERSION`, the version being a number, an alias or `latest`",
    |text| {
        let parts: Vec<&str> = text.split('/').collect();
        matches!(
            parts.as_slice(),
            ["projects", project, "secrets", secret, "versions", version]
                if !project.is_empty() && word(secret, 255) && word(version, 63)
        )
    }
);
name!(
    /// One argument of the user's program: any UTF-8 text without NUL.
    ///
    /// It reaches `sys.argv` byte for byte.
    ProgramArg, "program argument", "UTF-8 text without a NUL character", |text| !text.contains('\0')
);

/// Which try of a deployment this is, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(1);

    /// The try after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number of this try.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which cluster: project, region and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterRef {
    /// The project that the cluster lives in.
    pub project: ProjectId,
    /// The region that it was made in.
    pub region: Region,
    /// Its name, unique in project and region.
    pub name: ClusterName,
}

impl ClusterRef {
    /// The command that deletes this cluster, for messages about what still costs money.
    #[must_use]
    pub fn delete_command(&self) -> String {
        let Self {
            project,
            region,
            name,
        } = self;
        format!(
            "gcloud dataproc clusters delete {name} --region={region} --project={project} --quiet"
        )
    }
}

impl fmt::Display for ClusterRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "projects/{}/regions/{}/clusters/{}",
            self.project, self.region, self.name
        )
    }
}

/// Which machine: project, zone and instance name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MachineRef {
    /// The project that the machine lives in.
    pub project: ProjectId,
    /// Its zone.
    pub zone: Zone,
    /// The instance's name, such as `my-cluster-m`.
    pub instance: String,
}

impl fmt::Display for MachineRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "projects/{}/zones/{}/instances/{}",
            self.project, self.zone, self.instance
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BucketName, ClusterName, FlinkJobId, ProjectId, YarnApplicationId, Zone};

    #[test]
    fn names_that_the_services_would_refuse_are_refused() {
        let check = |valid: bool, expected: bool, text: &str| assert_eq!(valid, expected, "{text}");
        let long = "a".repeat(53);
        for (text, expected) in [
            ("batch-1", true),
            ("a", true),
            ("Batch", false),
            ("1batch", false),
            ("batch-", false),
            ("my_cluster", false),
            ("", false),
            (long.as_str(), false),
        ] {
            check(text.parse::<ClusterName>().is_ok(), expected, text);
        }
        for (text, expected) in [
            ("my-project", true),
            ("example.com:my-project", true),
            ("short", false),
            ("UPPER-case", false),
        ] {
            check(text.parse::<ProjectId>().is_ok(), expected, text);
        }
        for (text, expected) in [
            ("abc", true),
            ("ab", false),
            ("a.b-c_d", true),
            ("-abc", false),
            ("Abc", false),
        ] {
            check(text.parse::<BucketName>().is_ok(), expected, text);
        }
        for (text, expected) in [("europe-west4-a", true), ("europe-west4", false)] {
            check(text.parse::<Zone>().is_ok(), expected, text);
        }
        check(
            "application_1700000000000_0001"
                .parse::<YarnApplicationId>()
                .is_ok(),
            true,
            "application",
        );
        check(
            "application_x_1".parse::<YarnApplicationId>().is_ok(),
            false,
            "application",
        );
        check(
            "0123456789abcdef0123456789abcdef"
                .parse::<FlinkJobId>()
                .is_ok(),
            true,
            "job",
        );
    }

    #[test]
    fn the_refusal_says_the_rule() {
        let text = "My_Cluster"
            .parse::<ClusterName>()
            .map_err(|e| e.to_string());
        insta::assert_snapshot!(text.unwrap_err(), @"`My_Cluster` is no cluster name: at most 52 lower-case letters, digits or hyphens, starting with a letter and not ending with a hyphen");
    }

    proptest! {
        #[test]
        fn a_cluster_name_is_what_the_services_pattern_says(text in "[a-z0-9-]{0,54}") {
            let expected = text.len() <= 52
                && text.starts_with(|c: char| c.is_ascii_lowercase())
                && !text.ends_with('-');
            prop_assert_eq!(text.parse::<ClusterName>().is_ok(), expected);
        }
    }
}
