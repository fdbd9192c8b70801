//! `yarn-session.sh`: start a session on YARN, attach to one, stop it.
//!
//! A session is named by its YARN application's id, and found by its tag. The file in the temporary directory, in which Flink
//! notes the last session of a user, is one for all clusters and stays behind sessions that are gone: it is pointed elsewhere.

use std::collections::BTreeMap;

use flinkproc_core::FlinkVersion;

use crate::config::{
    Lines, application_id, check_key, check_value, containers, insert_list, shipped,
};
use crate::error::FlinkCliError;
use crate::settings::Containers;

/// Starts a session; the client leaves once it is up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionSettings {
    /// The YARN application's name.
    pub name: Option<String>,
    /// The YARN application's tags, by which it is found again.
    pub tags: Vec<String>,
    /// What the containers get.
    pub containers: Containers,
    /// Local files and directories that are copied into every container.
    pub ship: Vec<String>,
    /// Whether the client stays and ends the session when it is ended itself.
    pub attached: bool,
    /// Flink configuration, key to value.
    pub config: BTreeMap<String, String>,
}

impl SessionSettings {
    /// A session with Flink's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the YARN application.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Tags the YARN application.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Copies a local file or directory into every container.
    #[must_use]
    pub fn ship(mut self, path: impl Into<String>) -> Self {
        self.ship.push(path.into());
        self
    }

    /// Sets a configuration key.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.insert(key.into(), value.into());
        self
    }

    /// The arguments of `yarn-session.sh`.
    ///
    /// # Errors
    /// When this version cannot do it, or would drop or misread a part of it.
    pub fn argv(&self, version: FlinkVersion) -> Result<Vec<String>, FlinkCliError> {
        let mut config = self.config.clone();
        for key in config.keys() {
            check_key(key)?;
        }
        containers(&mut config, &self.containers)?;
        if let Some(name) = &self.name {
            let key = "yarn.application.name".to_owned();
            config.entry(key).or_insert_with(|| name.clone());
        }
        insert_list(&mut config, "yarn.tags", ',', &self.tags)?;
        for path in &self.ship {
            shipped(path)?;
        }
        insert_list(&mut config, "yarn.ship-files", ';', &self.ship)?;
        for (key, value) in &config {
            check_session_entry(version, key, value)?;
        }
        let mut line = Lines::new();
        line.configuration(&config);
        if !self.attached {
            line.word("-d");
        }
        Ok(line.into_argv())
    }
}

fn check_session_entry(version: FlinkVersion, key: &str, value: &str) -> Result<(), FlinkCliError> {
    check_value(version, key, value, true)?;
    let refuse = |problem| {
        let key = key.to_owned();
        Err(FlinkCliError::InvalidConfig { key, problem })
    };
    // What `FlinkYarnSessionCli` does with -D: joins by `@@`, parts again, trims.
    let at = |text: &str| text.contains("@@") || text.starts_with('@') || text.ends_with('@');
    if at(key) || at(value) {
        return refuse("`@@` parts the settings of a session");
    }
    if value.trim_matches(|letter| letter <= ' ') != value {
        return refuse("a session loses spaces around a value");
    }
    if key == "yarn.application.id" {
        return refuse("YARN chooses the session's id");
    }
    Ok(())
}

/// Attaches a client to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachSettings {
    /// The session's YARN application.
    pub application: String,
}

/// What `yarn-session.sh` reads from its standard input to end the session that it is attached to.
pub const STOP: &str = "stop\n";

impl AttachSettings {
    /// Attaches to a session.
    pub fn new(application: impl Into<String>) -> Self {
        Self {
            application: application.into(),
        }
    }

    /// The arguments of `yarn-session.sh`; with [`STOP`] on its standard input it ends the session.
    ///
    /// # Errors
    /// When the id is none.
    pub fn argv(&self) -> Result<Vec<String>, FlinkCliError> {
        application_id(&self.application)?;
        Ok(vec!["-id".to_owned(), self.application.clone()])
    }
}
