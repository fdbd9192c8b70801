//! The shell lines behind upload and download: `cat`, a size check and a rename, on any host with a POSIX shell.
//!
//! Not SFTP: its subsystem may be switched off, it costs a second protocol start and more round trips for each file, and its
//! version 3 cannot rename over a file that exists.

use crate::command::RemoteCommand;
use crate::error::ShellError;
use crate::part_file::token;
use crate::quote::quote;
use crate::shell::{ExitStatus, FileMode, Output};

/// The status that says "no such file" (`EX_NOINPUT` of sysexits).
const MISSING: u32 = 66;
/// The status that says "cannot read or write" (`EX_CANTCREAT`).
const FAILED: u32 = 73;

/// Takes `size` bytes from standard input and puts them into `to`.
///
/// When the connection breaks, `cat` sees the same end of input as after the last byte: only the size tells them apart.
pub(crate) fn upload_command(
    to: &str,
    mode: FileMode,
    size: u64,
) -> Result<RemoteCommand, ShellError> {
    let path = path(to);
    let target = quote(&path);
    let token = token()?;
    let mode = mode.0 & 0o7777;
    Ok(RemoteCommand::raw(format!(
        "f={target}; p=\"$f.{token}.part\"; \
         if [ -d \"$f\" ]; then echo 'it is a folder' >&2; exit {FAILED}; fi; \
         trap 'rm -f \"$p\"' HUP TERM; \
         if (umask 077 && cat > \"$p\"); then \
         n=$(($(wc -c < \"$p\"))); \
         if [ \"$n\" -ne {size} ]; then echo \"$n bytes came instead of {size}\" >&2; \
         elif chmod {mode:o} \"$p\" && mv -f \"$p\" \"$f\"; then exit 0; fi; fi; \
         rm -f \"$p\"; exit {FAILED}"
    )))
}

/// Writes `from` to standard output.
pub(crate) fn download_command(from: &str) -> RemoteCommand {
    let path = path(from);
    let source = quote(&path);
    RemoteCommand::raw(format!(
        "f={source}; \
         if [ -d \"$f\" ]; then echo 'it is a folder' >&2; exit {FAILED}; fi; \
         if [ ! -e \"$f\" ]; then exit {MISSING}; fi; \
         cat < \"$f\" || exit {FAILED}"
    ))
}

/// A relative path that begins with a hyphen must not become an option.
fn path(path: &str) -> String {
    if path.starts_with('-') {
        format!("./{path}")
    } else {
        path.to_owned()
    }
}

/// What a transfer's end means.
pub(crate) fn judge(action: &'static str, path: &str, output: &Output) -> Result<(), ShellError> {
    if output.status.success() {
        return Ok(());
    }
    if output.status == ExitStatus::Code(MISSING) {
        return Err(ShellError::RemoteFileMissing {
            path: path.to_owned(),
        });
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let problem = match said.trim() {
        "" => format!("it ended with {}", output.status),
        said => said.to_owned(),
    };
    Err(ShellError::RemoteFile {
        action,
        path: path.to_owned(),
        problem,
    })
}
