//! The process environment, read once; nothing else in this program looks at it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use flinkproc_patterns::Options;
use nix::unistd::{Uid, User};

/// Every environment variable that flinkproc reads, with its meaning.
///
/// `FLINKPROC_` variables stand for keys of the spec or for flags; the others are the common ones of this field.
pub const VARIABLES: &[(&str, &str)] = &[
    ("FLINKPROC_PROJECT", "the Google Cloud project"),
    ("FLINKPROC_REGION", "the region"),
    ("FLINKPROC_ZONE", "the zone"),
    ("FLINKPROC_BUCKET", "staging.bucket"),
    ("FLINKPROC_IMAGE", "cluster.image"),
    ("FLINKPROC_TARGET", "--target"),
    ("FLINKPROC_STATE", "directory of journals and logs"),
    (
        "FLINKPROC_CACHE",
        "directory of what is fetched or built once: the sandbox's parts, Pythons, connectors",
    ),
    ("FLINKPROC_PYTHON", "the Python that the sandbox uses"),
    (
        "FLINKPROC_MAVEN_REPOSITORY",
        "URL of the repository for job.packages, instead of Maven Central's",
    ),
    (
        "FLINKPROC_DATAPROC_ENDPOINT",
        "base URL instead of Dataproc's, for an emulator",
    ),
    (
        "FLINKPROC_COMPUTE_ENDPOINT",
        "base URL instead of Compute Engine's, for an emulator",
    ),
    (
        "FLINKPROC_STORAGE_ENDPOINT",
        "base URL instead of Cloud Storage's, for an emulator",
    ),
    (
        "FLINKPROC_OS_LOGIN_ENDPOINT",
        "base URL instead of OS Login's; that of Compute Engine where only it is given",
    ),
    (
        "FLINKPROC_IAP_ENDPOINT",
        "base URL (`wss://…`) instead of Identity-Aware Proxy's relay, for an emulator",
    ),
    (
        "FLINKPROC_ACCOUNT",
        "the account whose OS Login profile takes the key; found out where it is not set",
    ),
    (
        "FLINKPROC_ANONYMOUS",
        "`1`: call without credentials, for an emulator",
    ),
    (
        "FLINKPROC_ACCESS_TOKEN_FILE",
        "file of a token that is used instead of credentials, for a closed emulator",
    ),
    ("FLINKPROC_SSH_PORT", "ssh.port"),
    (
        "FLINKPROC_LOG",
        "filter of diagnostic messages, as tracing writes it",
    ),
    (
        "GOOGLE_CLOUD_PROJECT",
        "the Google Cloud project, after FLINKPROC_PROJECT",
    ),
    (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "the file of Application Default Credentials",
    ),
    (
        "GCE_METADATA_HOST",
        "host of the metadata server that gives tokens on Google Cloud",
    ),
    ("CLOUDSDK_CONFIG", "gcloud's configuration directory"),
    (
        "CLOUDSDK_ACTIVE_CONFIG_NAME",
        "gcloud's active configuration",
    ),
    ("JAVA_HOME", "the Java that the sandbox uses"),
    ("HOME", "the home directory"),
    ("PATH", "where programs are looked for"),
    (
        "USER",
        "the login name; the system's own where it is not set",
    ),
    ("SSH_AUTH_SOCK", "the SSH agent"),
    (
        "HTTPS_PROXY",
        "the proxy for every call to Google; also `https_proxy`",
    ),
    ("https_proxy", "see HTTPS_PROXY"),
    ("ALL_PROXY", "the proxy where HTTPS_PROXY is not set"),
    ("all_proxy", "see ALL_PROXY"),
    (
        "NO_PROXY",
        "hosts, domains and networks that are reached without the proxy",
    ),
    ("no_proxy", "see NO_PROXY"),
    (
        "SSL_CERT_FILE",
        "certificates to believe instead of the system's",
    ),
    (
        "XDG_STATE_HOME",
        "parent of the directory of journals and logs",
    ),
    ("XDG_CACHE_HOME", "parent of the cache directory"),
    ("NO_COLOR", "no colours when set"),
    ("CI", "plain lines instead of bars when set"),
];

/// The environment as it was when the program started.
#[derive(Clone, Debug)]
pub struct Environment {
    values: BTreeMap<&'static str, OsString>,
}

impl Environment {
    /// Reads the process environment.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the room that owns the environment"
    )]
    pub fn read() -> Self {
        let value = |(name, _): &(&'static str, _)| Some((*name, std::env::var_os(name)?));
        Self {
            values: VARIABLES.iter().filter_map(value).collect(),
        }
    }

    /// A made-up environment.
    #[must_use]
    pub fn of(values: &[(&'static str, &str)]) -> Self {
        let values = values
            .iter()
            .map(|(name, value)| (*name, OsString::from(value)));
        Self {
            values: values.collect(),
        }
    }

    /// A variable's text; `None` when it is unset, empty or no UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)?
            .to_str()
            .filter(|text| !text.is_empty())
    }

    /// A variable as a path.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.values
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// Whether a variable is set to anything but nothing.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_empty())
    }

    /// The home directory; the working directory where there is none.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.path("HOME").unwrap_or_else(|| PathBuf::from("."))
    }

    /// The login name: that of the environment, else the system's for whoever runs this process.
    #[must_use]
    pub fn login_user(&self) -> String {
        let system = || User::from_uid(Uid::current()).ok()?.map(|user| user.name);
        self.text("USER")
            .map(str::to_owned)
            .or_else(system)
            .unwrap_or_else(|| "root".to_owned())
    }

    /// Where journals and logs live.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        let parent = || {
            self.path("XDG_STATE_HOME")
                .unwrap_or_else(|| self.home().join(".local/state"))
        };
        self.path("FLINKPROC_STATE")
            .unwrap_or_else(|| parent().join("flinkproc"))
    }

    /// What the user's surroundings add to a run that keeps its things in this directory.
    pub(crate) fn options(&self, directory: PathBuf) -> Options {
        Options {
            agent: self.path("SSH_AUTH_SOCK"),
            home: Some(self.home()),
            ..Options::new(directory)
        }
    }

    /// Where downloaded parts live.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        let parent = || {
            self.path("XDG_CACHE_HOME")
                .unwrap_or_else(|| self.home().join(".cache"))
        };
        self.path("FLINKPROC_CACHE")
            .unwrap_or_else(|| parent().join("flinkproc"))
    }
}

#[cfg(test)]
mod tests {
    use super::VARIABLES;

    #[test]
    fn the_page_of_the_command_line_lists_every_variable() {
        let page = include_str!("../../../docs/cli.md");
        let rows = |start: &str| {
            let rows = page.lines().filter_map(|line| {
                let (name, meaning) = line.strip_prefix(start)?.split_once("` | ")?;
                Some((name.to_owned(), meaning.trim_end_matches(" |").to_owned()))
            });
            rows.filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic() || c == '_'))
                .collect::<Vec<_>>()
        };
        let known: Vec<_> = VARIABLES
            .iter()
            .map(|(name, meaning)| ((*name).to_owned(), (*meaning).to_owned()))
            .collect();
        assert_eq!(rows("| `"), known);
    }
}
