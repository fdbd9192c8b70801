//! One GiB into the storage emulator and out again, beside what the disk gives.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{Advice, fadvise};

use crate::bench::figures::{Figures, median, rounded};
use crate::bench::upload::fill;
use crate::bench::workplace::{Workplace, text};
use crate::cargo::{program, say};

const SIZE: usize = 1 << 30;

/// Runs of each direction: each writes two GiB.
const RUNS: usize = 3;

const PIECE: usize = 1 << 20;

pub(crate) fn measure(workplace: &Workplace, figures: &mut Figures) -> Result<(), String> {
    say("\nStorage: 1 GiB in and out");
    let folder = workplace.path().join("storage");
    std::fs::create_dir_all(&folder).map_err(text)?;
    let source = folder.join("source");
    fill(&source, SIZE, 1)?;
    let (mut disk_in, mut disk_out, mut own_in, mut own_out) = (vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let copy = folder.join("copy");
        disk_in.push(seconds(|| write_synced(&source, &copy))?);
        forget(&copy)?;
        disk_out.push(seconds(|| read_all(&copy))?);
        std::fs::remove_file(&copy).map_err(text)?;

        let server = Server::start(workplace, &folder.join("root"))?;
        own_in.push(seconds(|| server.put(&source))?);
        for file in server.data()? {
            // Written back first: the kernel forgets only what is on the disk.
            File::open(&file)
                .and_then(|it| it.sync_all())
                .map_err(text)?;
            forget(&file)?;
        }
        own_out.push(seconds(|| server.get())?);
        drop(server);
        std::fs::remove_dir_all(folder.join("root")).map_err(text)?;
    }
    std::fs::remove_dir_all(&folder).map_err(text)?;
    for (name, disk, own) in [("in", disk_in, own_in), ("out", disk_out, own_out)] {
        let (disk, own) = (median(disk), median(own));
        let rate = |seconds: f64| format!("{} MB/s", rounded(SIZE as f64 / 1e6 / seconds));
        figures.note(&format!("1 GiB {name}, the disk alone"), rate(disk));
        figures.note(&format!("1 GiB {name}, storage emulator"), rate(own));
        figures.at_least(
            &format!("1 GiB {name}, of the disk's rate"),
            0.5,
            disk / own,
        );
    }
    Ok(())
}

fn seconds(work: impl FnOnce() -> Result<(), String>) -> Result<f64, String> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64())
}

fn write_synced(from: &Path, to: &Path) -> Result<(), String> {
    let (from, mut to) = (
        File::open(from).map_err(text)?,
        File::create(to).map_err(text)?,
    );
    pass(from, |piece| to.write_all(piece).map_err(text))?;
    to.sync_all().map_err(text)
}

fn read_all(path: &Path) -> Result<(), String> {
    let read = pass(File::open(path).map_err(text)?, |_| Ok(()))?;
    whole(read)
}

/// Takes a file out of the kernel's memory, so that it is read from the disk.
fn forget(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(text)?;
    fadvise(&file, 0, None, Advice::DontNeed).map_err(text)
}

fn pass(
    mut from: impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<usize, String> {
    let (mut buffer, mut all) = (vec![0; PIECE], 0);
    loop {
        let read = from.read(&mut buffer).map_err(text)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else {
            return Ok(all);
        };
        each(piece)?;
        all += read;
    }
}

fn whole(read: usize) -> Result<(), String> {
    if read == SIZE {
        return Ok(());
    }
    Err(format!("{read} bytes in place of {SIZE}"))
}

/// The storage emulator's own program, ended when dropped.
struct Server {
    child: Child,
    host: String,
    root: std::path::PathBuf,
}

impl Server {
    fn start(workplace: &Workplace, root: &Path) -> Result<Self, String> {
        let mut child = program(workplace.binary("gcs-emulator"))
            .arg("--root")
            .arg(root)
            .args(["--bucket", "bench"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(text)?;
        let said = child.stdout.take().ok_or("no output")?;
        let mut url = String::new();
        BufReader::new(said).read_line(&mut url).map_err(text)?;
        let host = url.trim().trim_start_matches("http://").to_owned();
        let root = root.to_owned();
        Ok(Self { child, host, root })
    }

    fn data(&self) -> Result<Vec<std::path::PathBuf>, String> {
        let files = std::fs::read_dir(self.root.join("buckets/bench")).map_err(text)?;
        Ok(files.flatten().map(|file| file.path()).collect())
    }

    fn call(&self, head: &str) -> Result<TcpStream, String> {
        let mut stream = TcpStream::connect(&self.host).map_err(text)?;
        let host = &self.host;
        write!(stream, "{head}\r\nHost: {host}\r\nConnection: close\r\n").map_err(text)?;
        Ok(stream)
    }

    fn put(&self, from: &Path) -> Result<(), String> {
        let mut stream = self.call("POST /upload/storage/v1/b/bench/o?name=large HTTP/1.1")?;
        write!(stream, "Content-Length: {SIZE}\r\n\r\n").map_err(text)?;
        let source = File::open(from).map_err(text)?;
        pass(source, |piece| stream.write_all(piece).map_err(text))?;
        answer(&mut BufReader::new(stream)).map(drop)
    }

    fn get(&self) -> Result<(), String> {
        let mut stream = self.call("GET /storage/v1/b/bench/o/large?alt=media HTTP/1.1")?;
        stream.write_all(b"\r\n").map_err(text)?;
        let mut reader = BufReader::with_capacity(PIECE, stream);
        answer(&mut reader)?;
        whole(pass(reader, |_| Ok(()))?)
    }
}

/// Reads the head of an answer, which must be a good one.
fn answer(reader: &mut impl std::io::BufRead) -> Result<(), String> {
    let mut line = String::new();
    reader.read_line(&mut line).map_err(text)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(line);
    }
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line).map_err(text)?;
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
        self.child.wait().ok();
    }
}
