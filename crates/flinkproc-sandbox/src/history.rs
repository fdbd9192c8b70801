//! Flink's History Server on the master, started by the first look at its page.
//!
//! Few clusters are ever looked at after their jobs, and a Java costs memory and a second: so a small relay listens on the usual
//! port, and only its first caller starts the server behind it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use flinkproc_core::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::{AbortHandle, JoinSet};

use crate::error::SandboxError;
use crate::flink;
use crate::layout::Layout;
use crate::parts::Parts;
use crate::process::Processes;

/// The port that people know.
const PORT: u16 = 8082;
/// Where the server itself listens.
const INNER_PORT: u16 = 8083;
const MAIN: &str = "org.apache.flink.runtime.webmonitor.history.HistoryServer";
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The relay of one cluster; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct History {
    relay: AbortHandle,
    url: String,
}

impl History {
    /// Listens on the master's address; answers where.
    pub(crate) async fn start(
        layout: &Layout,
        parts: &Parts,
        processes: Arc<Processes>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SandboxError> {
        let listener = TcpListener::bind((layout.ip, PORT)).await;
        let listener = listener.map_err(|source| SandboxError::NotServed {
            server: "History Server",
            source: Box::new(source),
        })?;
        let server = Server {
            layout: layout.clone(),
            parts: parts.clone(),
            processes,
            clock,
            started: OnceCell::new(),
        };
        Ok(Self {
            relay: tokio::spawn(relay(listener, Arc::new(server))).abort_handle(),
            url: format!("http://{}:{PORT}/", layout.ip),
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

#[derive(Debug)]
struct Server {
    layout: Layout,
    parts: Parts,
    processes: Arc<Processes>,
    clock: Arc<dyn Clock>,
    started: OnceCell<()>,
}

async fn relay(listener: TcpListener, server: Arc<Server>) {
    // The relayed connections end with the relay.
    let mut connections = JoinSet::new();
    while let Ok((mut caller, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let server = Arc::clone(&server);
        connections.spawn(async move {
            let begun = server.started.get_or_try_init(|| server.begin()).await;
            if let Err(error) = begun {
                tracing::warn!(%error, "the History Server does not answer");
                return;
            }
            if let Ok(mut inner) = server.connect().await {
                // A caller who goes away is no error.
                let _ = tokio::io::copy_bidirectional(&mut caller, &mut inner).await;
            }
        });
    }
}

impl Server {
    async fn connect(&self) -> std::io::Result<TcpStream> {
        let ip: Ipv4Addr = self.layout.ip;
        TcpStream::connect((ip, INNER_PORT)).await
    }

    /// Its own configuration folder, for it reads no settings from its arguments; answers where that is.
    fn configure(&self) -> Result<String, SandboxError> {
        const OWN: &str = "historyserver.web.";
        let shared = self.layout.at("flink-conf/config.yaml");
        let shared =
            std::fs::read_to_string(&shared).map_err(SandboxError::file("read", shared))?;
        // A cluster's property may not move the server away from where the relay looks for it.
        let kept = shared.lines().filter(|line| !line.starts_with(OWN));
        let mut text: String = kept.map(|line| format!("{line}\n")).collect();
        text.push_str(&format!(
            "{OWN}address: {ip:?}\n{OWN}port: \"{INNER_PORT}\"\n{OWN}tmpdir: {folder:?}\n",
            ip = self.layout.ip.to_string(),
            folder = self.layout.text("tmp/history"),
        ));
        self.layout.create_folders(&["history-conf"])?;
        self.layout.write("history-conf/config.yaml", &text)?;
        Ok(self.layout.text("history-conf"))
    }

    async fn begin(&self) -> Result<(), SandboxError> {
        let (layout, parts) = (&self.layout, &self.parts);
        let java = parts.prerequisites.java_home.join("bin/java");
        let log = layout.at("log/historyserver.log");
        let conf = layout.text("flink-conf");
        let classpath = format!(
            "{}/lib/*:{}",
            parts.flink_home.display(),
            flink::hadoop_classpath(layout, parts)
        );
        let fixed = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).to_vec();
        arguments.extend(flink::JAVA_OPENS.split_whitespace().map(str::to_owned));
        arguments.extend([
            format!("-Djava.io.tmpdir={}", layout.text("tmp")),
            format!("-Dlog4j.configurationFile=file:{conf}/log4j-console.properties"),
            format!("-Dlog.file={}", layout.text("log/historyserver-own.log")),
            "-classpath".to_owned(),
            classpath,
            MAIN.to_owned(),
            "--configDir".to_owned(),
            self.configure()?,
        ]);
        let process = self
            .processes
            .start(&java, &arguments, &layout.variables(parts), &log)?;
        let deadline = self.clock.now().checked_add(READY_WITHIN);
        let deadline = deadline.unwrap_or(self.clock.now());
        while self.connect().await.is_err() {
            if !process.is_alive() || self.clock.now() > deadline {
                process.kill();
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(SandboxError::NotReady {
                    service: "Flink's History Server".to_owned(),
                    outcome: "did not start".to_owned(),
                    tail: crate::parts::last_lines(&log, 15),
                });
            }
            self.clock.sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }
}
