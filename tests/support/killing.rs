//! Ends what a test leaves that fails half-way.

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::Home;
use crate::kernel::processes;

/// Kills what names a home.
pub(crate) fn kill_all(home: &Home) {
    for process in processes(&home.state()) {
        if let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) {
            // It may have ended meanwhile.
            kill_process(pid, Signal::KILL).ok();
        }
    }
}
