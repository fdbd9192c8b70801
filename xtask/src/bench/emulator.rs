//! The Dataproc emulator alone: how soon it answers, how many calls a core answers, and what a thousand clusters weigh.
//!
//! The server has one core, this client the other; connections are kept open, and each waits for its answer before it asks
//! again.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::figures::{Figures, median};
use crate::bench::workplace::{Workplace, text};
use crate::cargo::{program, say};

const CLUSTERS: usize = 1000;
const CONNECTIONS: usize = 8;
/// How long calls are counted.
const SPAN: Duration = Duration::from_secs(3);
const REGION: &str = "/v1/projects/bench-project/regions/europe-west1";

pub(crate) fn measure(
    workplace: &Workplace,
    runs: usize,
    figures: &mut Figures,
) -> Result<(), String> {
    say("\nThe Dataproc emulator alone");
    let mut starts = Vec::new();
    for _ in 0..=runs {
        starts.push(Server::start(workplace)?.started);
    }
    // The first of them had to be read from the disk.
    let started = median(starts.into_iter().skip(1));
    figures.at_most("emulator, start to first answer", 100.0, started, " ms");
    let server = Server::start(workplace)?;
    figures.note(
        "emulator, RSS without clusters",
        format!("{:.1} MB", server.memory()?),
    );
    let mut rates = Vec::new();
    for _ in 0..runs {
        rates.push(server.gets(1)?);
    }
    figures.at_least_rate(
        "emulator, cluster gets on one core",
        10_000.0,
        median(rates),
    );
    server.create(CLUSTERS)?;
    figures.at_most(
        "emulator, RSS with 1,000 clusters",
        60.0,
        server.memory()?,
        " MB",
    );
    let rate = server.gets(CLUSTERS)?;
    figures.note(
        "emulator, cluster gets among 1,000",
        format!("{rate:.0} a second"),
    );
    Ok(())
}

/// A running emulator without machines; ended when dropped.
struct Server {
    child: Child,
    /// Kept open: it tells more than its first line.
    _said: BufReader<ChildStdout>,
    host: String,
    /// Milliseconds until its first answer.
    started: f64,
}

impl Server {
    fn start(workplace: &Workplace) -> Result<Self, String> {
        let begun = Instant::now();
        let mut child = program("taskset")
            .args(["-c", "0"])
            .arg(workplace.binary("dataproc-emulator"))
            .args(["--machines", "none"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        let read = said.read_line(&mut line);
        let mut server = Self {
            child,
            _said: said,
            host: String::new(),
            started: 0.0,
        };
        read.map_err(text)?;
        let host = line.trim().strip_prefix("http://");
        server.host = host.ok_or("the emulator told no address")?.to_owned();
        let mut connection = server.connect()?;
        connection.call("GET", "/emulator/v1/health", "")?;
        server.started = begun.elapsed().as_secs_f64() * 1000.0;
        let body = r#"{"clusterName": "bench-0"}"#;
        connection.call("POST", &format!("{REGION}/clusters"), body)?;
        Ok(server)
    }

    fn connect(&self) -> Result<Connection, String> {
        let stream = TcpStream::connect(&self.host).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        Ok(Connection {
            stream: BufReader::new(stream),
            host: self.host.clone(),
        })
    }

    /// The resident memory, in MB.
    fn memory(&self) -> Result<f64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.map_err(text)?;
        let kib = status.lines().find_map(|line| {
            let value = line.strip_prefix("VmRSS:")?.trim();
            value.strip_suffix(" kB")?.trim().parse::<f64>().ok()
        });
        Ok(kib.ok_or("no VmRSS")? * 1024.0 / 1e6)
    }

    /// Makes the clusters `bench-1` … and waits until they run.
    fn create(&self, many: usize) -> Result<(), String> {
        let mut connection = self.connect()?;
        for number in 1..many {
            let body = format!(
                r#"{{"clusterName": "bench-{number}", "labels": {{"env": "bench"}}, "config": {{"softwareConfig": {{"imageVersion": "2.2", "optionalComponents": ["FLINK"]}}, "lifecycleConfig": {{"autoDeleteTtl": "7200s"}}}}}}"#
            );
            connection.call("POST", &format!("{REGION}/clusters"), &body)?;
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        for number in 0..many {
            let path = format!("{REGION}/clusters/bench-{number}");
            while !connection
                .call("GET", &path, "")?
                .contains(r#""status":{"state":"RUNNING""#)
            {
                if Instant::now() > deadline {
                    return Err(format!("{path} does not run"));
                }
            }
        }
        Ok(())
    }

    /// How many reads of a cluster are answered in a second.
    fn gets(&self, clusters: usize) -> Result<f64, String> {
        let count = |offset: usize| -> Result<usize, String> {
            let mut connection = self.connect()?;
            let begun = Instant::now();
            let mut done = 0;
            while begun.elapsed() < SPAN {
                let number = (offset + done * 7) % clusters;
                connection.call("GET", &format!("{REGION}/clusters/bench-{number}"), "")?;
                done += 1;
            }
            Ok(done)
        };
        let counts: Result<Vec<usize>, String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS)
                .map(|offset| scope.spawn(move || count(offset)))
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<usize, String>>| {
                thread.join().map_err(|_| "a client failed".to_owned())?
            };
            threads.into_iter().map(join).collect()
        });
        Ok(counts?.into_iter().sum::<usize>() as f64 / SPAN.as_secs_f64())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // A failure means that it has ended already.
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
        self.child.wait().ok();
    }
}

/// A connection that is kept open.
struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    /// Makes a call and gives the body of its answer, which has to be 200.
    fn call(&mut self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).map_err(text)?;
        let mut status = String::new();
        self.stream.read_line(&mut status).map_err(text)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).map_err(text)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(text)?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(text)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        match status.contains(" 200 ") {
            true => Ok(body),
            false => Err(format!("{method} {path}: {status}{body}")),
        }
    }
}
