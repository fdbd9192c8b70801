//! A home whose runs use the sandbox; one at a time.

use std::io::Write as _;
use std::path::PathBuf;

use tokio::sync::{Mutex, MutexGuard};

use crate::binary::{Home, Ran};
use crate::kernel::processes;
use crate::running::Running;

static ONE: Mutex<()> = Mutex::const_new(());

/// A turn to use the machine's memory, and a home for it.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) home: Home,
    _turn: MutexGuard<'static, ()>,
}

impl Real {
    /// Waits for a turn; `None` when real parts are to be left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the suite is chosen by the environment"
    )]
    pub(crate) async fn turn() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        if variable("FLINKPROC_TEST_FAST").is_some() {
            // Past the test's captured output: who skips a test has to see it.
            let why = "left out: FLINKPROC_TEST_FAST is set, and this test needs real parts\n";
            std::io::stderr().lock().write_all(why.as_bytes()).unwrap();
            return None;
        }
        let turn = ONE.lock().await;
        let mut home = Home::new("");
        // The downloaded parts are the user's: they are fetched once.
        let own = || {
            let parent = variable("XDG_CACHE_HOME").map(PathBuf::from);
            let parent =
                parent.unwrap_or_else(|| PathBuf::from(variable("HOME").unwrap()).join(".cache"));
            parent.join("flinkproc").display().to_string()
        };
        let cache = variable("FLINKPROC_CACHE").unwrap_or_else(own);
        home.set("FLINKPROC_CACHE", cache);
        home.set("FLINKPROC_ANONYMOUS", "");
        for name in ["PATH", "JAVA_HOME", "FLINKPROC_PYTHON"] {
            home.set(name, variable(name).unwrap_or_default());
        }
        // Maven keeps its settings and its own cache there, which a first download needs.
        home.set("HOME", variable("HOME").unwrap());
        Some(Self { home, _turn: turn })
    }

    /// Runs a deployment to its end.
    pub(crate) async fn deploy(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end().await
    }

    /// Starts a deployment.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&self.home, &[&["deploy", "--sandbox"], arguments].concat())
    }

    /// Fails unless every process of the sandbox is gone.
    #[track_caller]
    pub(crate) fn left_nothing(&self) {
        let left = processes(&self.home.state());
        assert!(left.is_empty(), "these live on: {left:?}");
    }
}
