//! [`ScriptedShell`]: a host in memory, with files and the answers that a test gives it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::fs;
use tokio::net::TcpListener;

use crate::abort_on_drop::AbortOnDrop;
use crate::command::RemoteCommand;
use crate::error::ShellError;
use crate::part_file::{PartFile, cannot_read, cannot_write};
use crate::shell::{
    ByteStream, Connect, Content, ExitStatus, FileMode, Forward, Output, ProcessEvent,
    RemoteProcess, RemoteShell, SshTarget,
};

/// The files of a scripted host, by path.
pub type ScriptedFiles = BTreeMap<String, ScriptedFile>;

/// A file of a scripted host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedFile {
    /// What it holds.
    pub content: Bytes,
    /// Its permissions.
    pub mode: FileMode,
}

/// A host in memory: it keeps files, answers commands as it was told, and remembers what was run.
///
/// Copies share one host. A command that no rule answers ends with status 127, as in a shell that knows no such program.
///
/// ```
/// # use flinkproc_ssh::{Answer, RemoteCommand, RemoteShell, ScriptedShell};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flinkproc_ssh::ShellError> {
/// let host = ScriptedShell::new();
/// host.on_program("yarn", Answer::ok().stdout("RUNNING\n"));
/// host.on(|command, files| {
///     let file = files.get(command.arguments().first()?)?;
///     (command.program()? == "cat").then(|| Answer::ok().stdout(file.content.clone()))
/// });
/// let output = host.run(&RemoteCommand::new("yarn").arg("application")).await?;
/// assert_eq!(output.stdout, "RUNNING\n");
/// assert_eq!(host.lines(), ["yarn application"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ScriptedShell {
    host: Arc<Mutex<Host>>,
}

#[derive(Default)]
struct Host {
    files: ScriptedFiles,
    rules: Vec<Rule>,
    commands: Vec<RemoteCommand>,
    routes: HashMap<(String, u16), SocketAddr>,
}

type Rule = Box<dyn FnMut(&RemoteCommand, &mut ScriptedFiles) -> Option<Answer> + Send>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("files", &self.files)
            .field("rules", &self.rules.len())
            .field("commands", &self.commands)
            .field("routes", &self.routes)
            .finish()
    }
}

/// What a scripted command says, and how it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    events: Vec<ProcessEvent>,
    status: ExitStatus,
}

impl Answer {
    /// Status 0, and nothing said yet.
    #[must_use]
    pub const fn ok() -> Self {
        Self::status(ExitStatus::Code(0))
    }

    /// Another status, and nothing said yet.
    #[must_use]
    pub const fn exit(code: u32) -> Self {
        Self::status(ExitStatus::Code(code))
    }

    /// Any end, and nothing said yet.
    #[must_use]
    pub const fn status(status: ExitStatus) -> Self {
        Self {
            events: Vec::new(),
            status,
        }
    }

    /// Says something more on standard output; a spawned process says each piece by itself.
    #[must_use]
    pub fn stdout(mut self, bytes: impl Into<Bytes>) -> Self {
        self.events.push(ProcessEvent::Stdout(bytes.into()));
        self
    }

    /// Says something more on standard error.
    #[must_use]
    pub fn stderr(mut self, bytes: impl Into<Bytes>) -> Self {
        self.events.push(ProcessEvent::Stderr(bytes.into()));
        self
    }
}

impl ScriptedShell {
    /// A host without files or programs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule. Rules are asked from the newest to the oldest; the first that gives an answer has decided. A rule may
    /// change the host's files, as a program would.
    pub fn on(
        &self,
        rule: impl FnMut(&RemoteCommand, &mut ScriptedFiles) -> Option<Answer> + Send + 'static,
    ) {
        self.lock().rules.push(Box::new(rule));
    }

    /// Answers every call of a program alike.
    pub fn on_program(&self, program: impl Into<String>, answer: Answer) {
        let program = program.into();
        self.on(move |command, _| (command.program() == Some(&program)).then(|| answer.clone()));
    }

    /// Answers every command whose line holds `text` alike.
    pub fn on_line(&self, text: impl Into<String>, answer: Answer) {
        let text = text.into();
        self.on(move |command, _| {
            let line = command.line().ok()?;
            line.contains(&text).then(|| answer.clone())
        });
    }

    /// Puts a file onto the host.
    pub fn put_file(&self, path: impl Into<String>, content: impl Into<Bytes>, mode: FileMode) {
        let content = content.into();
        let file = ScriptedFile { content, mode };
        self.lock().files.insert(path.into(), file);
    }

    /// Takes a file off the host; says whether it was there.
    pub fn remove_file(&self, path: &str) -> bool {
        self.lock().files.remove(path).is_some()
    }

    /// A file of the host.
    #[must_use]
    pub fn find_file(&self, path: &str) -> Option<ScriptedFile> {
        self.lock().files.get(path).cloned()
    }

    /// All files of the host.
    #[must_use]
    pub fn files(&self) -> ScriptedFiles {
        self.lock().files.clone()
    }

    /// Lets forwards to `host:port` lead to an address of this machine, such as a test's HTTP server.
    pub fn route(&self, host: impl Into<String>, port: u16, to: SocketAddr) {
        self.lock().routes.insert((host.into(), port), to);
    }

    /// Every command that was run or spawned, oldest first.
    #[must_use]
    pub fn commands(&self) -> Vec<RemoteCommand> {
        self.lock().commands.clone()
    }

    /// Every line that was run or spawned, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let commands = self.commands();
        commands
            .iter()
            .filter_map(|command| command.line().ok())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, command: &RemoteCommand) -> Result<ScriptedProcess, ShellError> {
        command.line()?;
        let mut host = self.lock();
        host.commands.push(command.clone());
        let Host { rules, files, .. } = &mut *host;
        let answer = rules.iter_mut().rev().find_map(|rule| rule(command, files));
        let unknown = || Answer::exit(127).stderr("scripted host: no rule answers this command\n");
        let Answer { events, status } = answer.unwrap_or_else(unknown);
        let mut events = VecDeque::from(events);
        events.push_back(ProcessEvent::Exited(status));
        Ok(ScriptedProcess { events })
    }
}

#[async_trait]
impl RemoteShell for ScriptedShell {
    async fn run(&self, command: &RemoteCommand) -> Result<Output, ShellError> {
        Output::collect(&mut self.start(command)?).await
    }

    async fn spawn(&self, command: &RemoteCommand) -> Result<Box<dyn RemoteProcess>, ShellError> {
        Ok(Box::new(self.start(command)?))
    }

    async fn upload(&self, content: &Content, to: &str, mode: FileMode) -> Result<(), ShellError> {
        let content = match content {
            Content::Bytes(bytes) => bytes.clone(),
            Content::File(path) => fs::read(path).await.map_err(cannot_read(path))?.into(),
        };
        self.put_file(to, content, mode);
        Ok(())
    }

    async fn download(&self, from: &str, to: &Path) -> Result<u64, ShellError> {
        let missing = || ShellError::RemoteFileMissing {
            path: from.to_owned(),
        };
        let content = self.find_file(from).ok_or_else(missing)?.content;
        let part = PartFile::beside(to)?;
        fs::write(part.path(), &content)
            .await
            .map_err(cannot_write(to))?;
        part.finish().await.map_err(cannot_write(to))?;
        Ok(content.len() as u64)
    }

    /// Leads to where [`ScriptedShell::route`] says; otherwise each connection is closed at once, as by a host where nothing
    /// listens.
    async fn forward(&self, host: &str, port: u16) -> Result<Forward, ShellError> {
        let route = self.lock().routes.get(&(host.to_owned(), port)).copied();
        if let Some(address) = route {
            return Ok(Forward::new(address, ()));
        }
        let cannot = |source| ShellError::LocalMachine {
            action: "listen on loopback",
            source,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        Ok(Forward::new(address, AbortOnDrop(closing.abort_handle())))
    }
}

#[derive(Debug)]
struct ScriptedProcess {
    events: VecDeque<ProcessEvent>,
}

#[async_trait]
impl RemoteProcess for ScriptedProcess {
    async fn next(&mut self) -> Result<Option<ProcessEvent>, ShellError> {
        Ok(self.events.pop_front())
    }
}

/// Connects to one scripted host, whatever the target, and remembers the targets.
#[derive(Clone, Debug, Default)]
pub struct ScriptedConnector {
    shell: ScriptedShell,
    instead: Option<Arc<dyn RemoteShell>>,
    targets: Arc<Mutex<Vec<SshTarget>>>,
}

impl ScriptedConnector {
    /// Every connection leads to `shell`.
    #[must_use]
    pub fn new(shell: ScriptedShell) -> Self {
        Self {
            shell,
            instead: None,
            targets: Arc::default(),
        }
    }

    /// Hands out `shell` instead, such as a faulty one around the scripted host.
    #[must_use]
    pub fn handing_out(mut self, shell: Arc<dyn RemoteShell>) -> Self {
        self.instead = Some(shell);
        self
    }

    /// The host that connections lead to.
    #[must_use]
    pub const fn shell(&self) -> &ScriptedShell {
        &self.shell
    }

    /// Every target that was connected to, oldest first.
    #[must_use]
    pub fn targets(&self) -> Vec<SshTarget> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.clone()
    }
}

#[async_trait]
impl Connect for ScriptedConnector {
    async fn connect(&self, target: &SshTarget) -> Result<Arc<dyn RemoteShell>, ShellError> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.push(target.clone());
        let scripted = || -> Arc<dyn RemoteShell> { Arc::new(self.shell.clone()) };
        Ok(self.instead.clone().unwrap_or_else(scripted))
    }

    /// As `connect`: the stream is dropped.
    async fn connect_over(
        &self,
        target: &SshTarget,
        _: Box<dyn ByteStream>,
    ) -> Result<Arc<dyn RemoteShell>, ShellError> {
        self.connect(target).await
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, ScriptedShell};
    use crate::command::RemoteCommand;
    use crate::contract;
    use crate::shell::{ExitStatus, RemoteShell};

    #[tokio::test]
    async fn keeps_the_contract_as_far_as_a_script_can() {
        let shell = ScriptedShell::new();
        contract::script(&shell);
        contract::keeps_files(&shell).await;
        contract::runs_commands(&shell).await;
        let (echo, _guard) = contract::echo_server().await;
        shell.route("127.0.0.1", echo.port(), echo);
        contract::carries_connections_to(&shell, echo).await;
    }

    #[tokio::test]
    async fn the_newest_rule_decides_and_unknown_programs_are_not_found() {
        let shell = ScriptedShell::new();
        let status = async |line: &str| {
            let output = shell.run(&RemoteCommand::raw(line)).await.expect("ran");
            output.status
        };
        assert_eq!(status("yarn top").await, ExitStatus::Code(127));
        shell.on_line("yarn", Answer::exit(1));
        shell.on_line("yarn top", Answer::exit(2));
        assert_eq!(status("yarn top").await, ExitStatus::Code(2));
        assert_eq!(status("yarn node").await, ExitStatus::Code(1));
        assert_eq!(shell.lines(), ["yarn top", "yarn top", "yarn node"]);
    }
}
