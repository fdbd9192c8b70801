//! Writes a small tar archive, gzipped: what a diagnosis of a scripted cluster is.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;

/// An archive of text files, by their names (at most 100 bytes each).
pub(crate) fn tar_gz(files: &[(String, String)]) -> io::Result<Bytes> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    for (name, text) in files {
        out.write_all(&header(name, text.len())?)?;
        out.write_all(text.as_bytes())?;
        let rest = text.len() % BLOCK;
        if rest > 0 {
            out.write_all(&[0; BLOCK][rest..])?;
        }
    }
    // Two empty blocks end an archive.
    out.write_all(&[0; BLOCK * 2])?;
    Ok(out.finish()?.into())
}

/// The header of a file in POSIX's `ustar` format.
fn header(name: &str, size: usize) -> io::Result<[u8; BLOCK]> {
    if name.len() > 100 {
        return Err(io::Error::other(format!("`{name}` is too long")));
    }
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (place, byte) in header.iter_mut().skip(at).zip(text) {
            *place = *byte;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The sum is taken with spaces in its own place.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    for (place, byte) in header.iter_mut().skip(148).zip(sum.as_bytes()) {
        *place = *byte;
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::tar_gz;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "tar itself is the judge")]
    fn tar_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("a.txt".to_owned(), "hello".to_owned()),
            ("b/c.txt".to_owned(), "x".repeat(512)),
            ("empty".to_owned(), String::new()),
        ];
        let path = folder.path().join("a.tar.gz");
        std::fs::write(&path, tar_gz(&files).unwrap()).unwrap();
        let untarred = Command::new("tar")
            .arg("xzf")
            .arg(&path)
            .arg("-C")
            .arg(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(untarred.status.success(), "{untarred:?}");
        for (name, text) in files {
            assert_eq!(
                std::fs::read_to_string(folder.path().join(name)).unwrap(),
                text
            );
        }
    }
}
