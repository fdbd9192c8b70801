//! Packs a folder so that the same content is the same bytes, and unpacks it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::error::EnvError;
use crate::request::{BuiltArchive, hex};

/// Every file below a folder, sorted by its path there, and whether it may be executed.
pub(crate) fn files(root: &Path) -> Result<Vec<(PathBuf, bool)>, EnvError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|source| EnvError::local(&folder, source))?;
        for entry in entries {
            let path = entry
                .map_err(|source| EnvError::local(&folder, source))?
                .path();
            // follows links: the archive has none
            let meta = fs::metadata(&path).map_err(|source| EnvError::local(&path, source))?;
            if meta.is_dir() {
                folders.push(path);
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push((relative.to_owned(), meta.permissions().mode() & 0o111 != 0));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a `.tar.gz` of the files below `root`: sorted, of no owner and no time.
pub(crate) fn pack(root: &Path, to: &Path) -> Result<(), EnvError> {
    let files = files(root)?;
    let write = || -> io::Result<()> {
        let gzip = GzBuilder::new()
            .operating_system(255)
            .write(BufWriter::new(File::create(to)?), Compression::new(6));
        let mut archive = tar::Builder::new(gzip);
        for (file, executable) in &files {
            let source = File::open(root.join(file))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(source.metadata()?.len());
            header.set_mode(if *executable { 0o755 } else { 0o644 });
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            archive.append_data(&mut header, file, BufReader::new(source))?;
        }
        let mut whole = archive.into_inner()?.finish()?;
        whole.flush()?;
        whole.get_ref().sync_all()
    };
    write().map_err(|source| EnvError::local(to, source))
}

/// Size and hash of an archive that will lie at `path`.
pub(crate) fn describe(archive: &Path, path: PathBuf) -> Result<BuiltArchive, EnvError> {
    let read = || -> io::Result<(u64, String)> {
        let mut file = File::open(archive)?;
        let mut hash = Sha256::new();
        let mut size = 0;
        let mut part = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut part)?;
            if count == 0 {
                return Ok((size, hex(&hash.finalize())));
            }
            hash.update(&part[..count]);
            size += count as u64;
        }
    };
    let (size, sha256) = read().map_err(|source| EnvError::local(archive, source))?;
    Ok(BuiltArchive { path, size, sha256 })
}

/// Unpacks an archive into a folder.
pub(crate) fn unpack(archive: &Path, into: &Path) -> Result<(), EnvError> {
    let read = || -> io::Result<()> {
        let file = BufReader::new(File::open(archive)?);
        tar::Archive::new(GzDecoder::new(file)).unpack(into)
    };
    read().map_err(|source| EnvError::local(archive, source))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{describe, files, pack, unpack};

    #[test]
    fn the_same_files_are_the_same_bytes_whenever_they_were_made() {
        let folder = tempfile::tempdir().expect("folder");
        let mut made = Vec::new();
        for (name, order) in [("one", ["b", "a"]), ("two", ["a", "b"])] {
            let root = folder.path().join(name);
            let long = root.join("x".repeat(120));
            fs::create_dir_all(&long).expect("folder");
            for file in order {
                fs::write(long.join(file), file).expect("file");
            }
            fs::write(root.join("run"), "#!").expect("file");
            let mode = if name == "one" { 0o700 } else { 0o775 };
            fs::set_permissions(root.join("run"), fs::Permissions::from_mode(mode)).expect("mode");
            std::os::unix::fs::symlink("run", root.join("link")).expect("link");
            let packed = folder.path().join(format!("{name}.tar.gz"));
            pack(&root, &packed).expect("packed");
            made.push(describe(&packed, packed.clone()).expect("described"));
        }
        assert_eq!(made[0].sha256, made[1].sha256);
        let there = folder.path().join("there");
        unpack(&made[0].path, &there).expect("unpacked");
        assert_eq!(
            files(&there).expect("files"),
            files(&folder.path().join("one")).expect("files")
        );
        assert!(
            !there.join("link").is_symlink(),
            "links become what they point to"
        );
    }
}
