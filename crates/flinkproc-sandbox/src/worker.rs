//! Workers that do not see the master's files, by a mount namespace for each NodeManager.
//!
//! On Dataproc a worker is another machine: what a job finds on the master's disk is not there. Here all machines are one, so a
//! NodeManager and its containers get another view of the folders in which a master's things lie: the cluster's own, the
//! temporary folders and the home of whoever runs the sandbox. In their place is an empty disk of the worker's, in which only
//! these remain: the parts (Flink's, Java's, Python's), the NodeManager's own folders, the commands and configuration that each
//! machine of a cluster has, and what stands for HDFS (staged files, logs, archives of finished jobs).
//!
//! This is to make mistakes visible, and no wall: the processes are the same user's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::cluster::{make_closed, remove};
use crate::error::SandboxError;
use crate::layout::Layout;
use crate::parts::{Parts, last_lines};

const SCRIPT: &str = include_str!("../recipes/worker.sh");
const SHELL: &str = "/bin/sh";
/// Folders of the cluster that a worker has in common with the master, as far as they are there.
const SHARED: [&str; 7] = [
    "bin",
    "python",
    "flink-conf",
    "hadoop-conf",
    "app-log",
    "staging",
    "archive",
];
/// Folders of the cluster that a worker has too, but its own, and empty at first.
const OWN: [&str; 3] = ["home", "tmp", "jobs"];

/// How a program gets a mount namespace on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    unshare: PathBuf,
    /// The user's and the group's number where a user namespace is needed.
    user: Option<(u32, u32)>,
}

impl Isolation {
    /// Tries whether the kernel lets us, in an empty folder below `folder`; answers what it said where it does not.
    pub(crate) async fn probe(parts: &Parts, folder: &Path) -> Result<Self, String> {
        let unshare = parts.prerequisites.unshare.clone();
        let unshare = unshare.ok_or_else(|| "util-linux has no `unshare` here".to_owned())?;
        let ids = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let isolation = Self {
            unshare,
            user: (ids.0 != 0).then_some(ids),
        };
        let place = folder.join(".mounts");
        let made = ["seen", "covered"].map(|name| place.join(name));
        for one in &made {
            make_closed(one).map_err(|error| error.to_string())?;
        }
        let mounts = [made];
        let check = ["-c".to_owned(), "id -u".to_owned()];
        let arguments = isolation.arguments(&mounts, Path::new(SHELL), &check);
        let output = Command::new(&isolation.unshare)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| error.to_string());
        remove(&place).map_err(|error| error.to_string())?;
        let output = output?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && said.trim() == ids.0.to_string() {
            return Ok(isolation);
        }
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{said}{}", last_lines(&errors, 3))
            .trim()
            .to_owned())
    }

    /// The program and arguments that start `program` as on the worker `node`.
    pub(crate) fn wrap(
        &self,
        layout: &Layout,
        parts: &Parts,
        node: u32,
        program: &Path,
        arguments: &[String],
    ) -> Result<(PathBuf, Vec<String>), SandboxError> {
        let disk = layout.at(&format!("disk-{node}"));
        let mut keeps: Vec<PathBuf> = SHARED.map(|name| layout.at(name)).to_vec();
        keeps.push(layout.at(&format!("node-{node}")));
        keeps.push(parts.folder().to_owned());
        keeps.push(parts.prerequisites.java_home.clone());
        keeps.extend(python_home(&parts.machine_python));
        let covers = covers(&[
            PathBuf::from("/tmp"),
            "/var/tmp".into(),
            parts.prerequisites.home.clone(),
            layout.folder.clone(),
        ]);
        let mut mounts = names(layout)?;
        let mut last = Vec::new();
        for (number, cover) in covers.iter().enumerate() {
            let instead = disk.join(number.to_string());
            make_closed(&instead)?;
            for own in OWN {
                if let Ok(inside) = layout.at(own).strip_prefix(cover) {
                    make_closed(&instead.join(inside))?;
                }
            }
            for (from, place) in places(&keeps, cover) {
                let to = instead.join(place);
                make_closed(&to)?;
                mounts.push([from, to]);
            }
            last.push([instead, cover.clone()]);
        }
        // What is mounted from must still be seen then: the folder that the worker's disk lies in is covered at the very end.
        last.sort_by_key(|[instead, cover]| instead.starts_with(cover));
        mounts.extend(last);
        let all = self.arguments(&mounts, program, arguments);
        Ok((self.unshare.clone(), all))
    }

    fn arguments(
        &self,
        mounts: &[[PathBuf; 2]],
        program: &Path,
        arguments: &[String],
    ) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        if self.user.is_some() {
            all.push("--map-root-user".to_owned());
        }
        let fixed = [
            "--mount",
            "--propagation",
            "private",
            "--",
            SHELL,
            "-c",
            SCRIPT,
            "worker",
        ];
        all.extend(fixed.map(str::to_owned));
        let pairs = mounts.iter().flatten();
        all.extend(pairs.map(|path| path.display().to_string()));
        all.push("--".to_owned());
        match self.user {
            None => all.extend(["-".to_owned(), "-".to_owned()]),
            Some((user, group)) => all.extend([user.to_string(), group.to_string()]),
        }
        all.push(program.display().to_string());
        all.extend_from_slice(arguments);
        all
    }
}

const HOSTS: &str = "/etc/hosts";
/// The order in which the C library answers the addresses of a name.
const ORDER: &str = "/etc/gai.conf";

/// Makes `localhost` the worker's own address there, before the machine's.
///
/// In application mode Flink's JobManager calls itself by that name, while its servers listen on the cluster's address only.
fn names(layout: &Layout) -> Result<Vec<[PathBuf; 2]>, SandboxError> {
    let (Ok(hosts), true) = (fs::read_to_string(HOSTS), Path::new(ORDER).exists()) else {
        return Ok(Vec::new());
    };
    layout.write(
        "hadoop-conf/hosts",
        // The first name of a line is the one that an address is known by: it stays what it is elsewhere, itself.
        &format!("{ip} {ip} localhost\n{hosts}", ip = layout.ip),
    )?;
    // The C library's own table, which one line of ours would otherwise replace, and our line.
    let order = format!(
        "precedence ::1/128 50\n\
         precedence ::/0 40\n\
         precedence 2002::/16 30\n\
         precedence ::/96 20\n\
         precedence ::ffff:0:0/96 10\n\
         precedence ::ffff:{}/128 60\n",
        layout.ip
    );
    layout.write("hadoop-conf/gai.conf", &order)?;
    Ok(vec![
        [layout.at("hadoop-conf/hosts"), HOSTS.into()],
        [layout.at("hadoop-conf/gai.conf"), ORDER.into()],
    ])
}

/// Where the interpreter that the virtual environment links to is installed.
fn python_home(python: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(python).ok()?;
    Some(real.parent()?.parent()?.to_owned())
}

/// The folders as the kernel names them, without those that lie in another.
fn covers(folders: &[PathBuf]) -> Vec<PathBuf> {
    let real = folders
        .iter()
        .filter_map(|folder| fs::canonicalize(folder).ok());
    let mut real: Vec<PathBuf> = real.filter(|folder| folder.parent().is_some()).collect();
    real.sort();
    real.dedup();
    // Sorted, a folder comes right before what lies in it.
    let mut outer: Vec<PathBuf> = Vec::new();
    for folder in real {
        if !outer.iter().any(|one| folder.starts_with(one)) {
            outer.push(folder);
        }
    }
    outer
}

/// What of `keeps` lies in `cover`, by its own name and by the one the kernel has for it, and where there.
fn places(keeps: &[PathBuf], cover: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for keep in keeps {
        let Ok(real) = fs::canonicalize(keep) else {
            continue;
        };
        for name in [&real, keep] {
            if let Ok(inside) = name.strip_prefix(cover)
                && !inside.as_os_str().is_empty()
                && !found.iter().any(|(_, place)| place == inside)
            {
                found.push((real.clone(), inside.to_owned()));
            }
        }
    }
    // A folder before what lies in it, so that it does not cover that.
    found.sort_by(|one, other| one.1.cmp(&other.1));
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::{covers, places};

    #[test]
    fn only_the_outermost_folders_are_covered() {
        let folder = tempfile::tempdir().expect("made");
        let root = fs::canonicalize(folder.path()).expect("there");
        for name in ["a/b", "c"] {
            fs::create_dir_all(root.join(name)).expect("made");
        }
        symlink(root.join("c"), root.join("link")).expect("made");
        let asked = ["a/b", "a", "c", "link", "missing"].map(|name| root.join(name));
        assert_eq!(covers(&asked), [root.join("a"), root.join("c")]);
        assert_eq!(covers(&["/".into()]), Vec::<std::path::PathBuf>::new());
    }

    #[test]
    fn what_stays_is_found_by_both_its_names() {
        let folder = tempfile::tempdir().expect("made");
        let root = fs::canonicalize(folder.path()).expect("there");
        fs::create_dir_all(root.join("home/real")).expect("made");
        fs::create_dir_all(root.join("else")).expect("made");
        symlink(root.join("else"), root.join("home/java")).expect("made");
        let keeps = ["home/real", "home/java", "else"].map(|name| root.join(name));
        let found = places(&keeps, &root.join("home"));
        assert_eq!(
            found,
            [
                (root.join("else"), "java".into()),
                (root.join("home/real"), "real".into())
            ]
        );
    }
}
