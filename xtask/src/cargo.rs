//! Starts cargo and what it built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Tells something on standard error.
#[expect(
    clippy::print_stderr,
    reason = "a script runner talks on standard error"
)]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A program to be run in the workspace's root.
#[expect(clippy::disallowed_methods, reason = "a script runner starts programs")]
pub(crate) fn program(name: impl Into<OsString>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root());
    command
}

/// The cargo that runs this.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells its own path in the environment"
)]
fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs cargo and fails when it fails.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    run_with(arguments, &[])
}

/// Runs cargo with more environment and fails when it fails.
pub(crate) fn run_with(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let line = format!("cargo {}", arguments.join(" "));
    say(&format!("\n$ {line}"));
    let mut command = cargo();
    command.args(arguments).envs(environment.iter().copied());
    let status = command
        .status()
        .map_err(|error| format!("{line}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` ended with {status}"))
    }
}

/// What cargo prints on standard output.
pub(crate) fn output(arguments: &[&str]) -> Result<String, String> {
    let output = cargo()
        .args(arguments)
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

/// Builds the binary and becomes `flinkproc deploy`, in the directory where cargo was called.
///
/// The runner is replaced by the binary, so that signals and the exit status are the binary's own.
pub(crate) fn deploy(arguments: &[String]) -> ExitCode {
    use std::os::unix::process::CommandExt;

    // The whole workspace, as every other task builds it: another selection would build the dependencies anew.
    if let Err(problem) = run(&["build", "--workspace", "--bins", "--quiet"]) {
        say(&format!("error: {problem}"));
        return ExitCode::FAILURE;
    }
    let binary = target_directory().join("debug/flinkproc");
    let mut command = program(&binary);
    #[expect(
        clippy::disallowed_methods,
        reason = "relative paths mean the caller's directory"
    )]
    if let Some(caller) = std::env::var_os("PWD") {
        command.current_dir(caller);
    }
    let problem = command.arg("deploy").args(arguments).exec();
    say(&format!("error: {}: {problem}", binary.display()));
    ExitCode::FAILURE
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "cargo reads the same variable")]
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(named.unwrap_or_else(|| "target".into()))
}
