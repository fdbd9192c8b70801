//! The list of files in a zip, read from its end.
//!
//! The format is that of PKWARE's APPNOTE 6.3: the end record (4.3.16), or for a large archive that of ZIP64 (4.3.14), says where
//! the central directory (4.3.12) is. Archives of several parts are refused.

use std::io::{self, Read, Seek, SeekFrom};

/// The end record without its comment, and the longest comment.
const END: u64 = 22;
const LONGEST_COMMENT: u64 = 0xffff;

/// ZIP64's record that says where its end record is, and that record.
const LOCATOR: usize = 20;
const LARGE_END: u64 = 56;

/// The fixed part of an entry of the central directory.
const ENTRY: usize = 46;

/// The paths in a zip, in its own order.
pub(super) fn names(file: &mut (impl Read + Seek)) -> io::Result<Vec<String>> {
    let size = file.seek(SeekFrom::End(0))?;
    let tail = piece(file, size.saturating_sub(END + LONGEST_COMMENT), size)?;
    let at = (0..tail.len().saturating_sub(21))
        .rev()
        .find(|at| tail.get(*at..at + 4) == Some(b"PK\x05\x06"))
        .ok_or_else(damaged)?;
    let end = tail.get(at..).unwrap_or_default();
    let (mut count, mut length, mut start) = (
        number(end, 10, 2)?,
        number(end, 12, 4)?,
        number(end, 16, 4)?,
    );
    // A field that is full says that the real number stands in the records of ZIP64 before this one.
    if count == 0xffff || length == 0xffff_ffff || start == 0xffff_ffff {
        let locator = tail.get(at.saturating_sub(LOCATOR)..at).unwrap_or_default();
        if locator.starts_with(b"PK\x06\x07") {
            let large = number(locator, 8, 8)?;
            let large = piece(file, large, large.saturating_add(LARGE_END).min(size))?;
            if !large.starts_with(b"PK\x06\x06") {
                return Err(damaged());
            }
            count = number(&large, 32, 8)?;
            length = number(&large, 40, 8)?;
            start = number(&large, 48, 8)?;
        }
    }
    let directory = piece(file, start, start.saturating_add(length).min(size))?;
    let mut names = Vec::new();
    let mut rest = directory.as_slice();
    for _ in 0..count {
        if !rest.starts_with(b"PK\x01\x02") {
            return Err(damaged());
        }
        let name = length_of(rest, 28)?;
        let more = length_of(rest, 30)? + length_of(rest, 32)?;
        let text = rest.get(ENTRY..ENTRY + name).ok_or_else(damaged)?;
        names.push(String::from_utf8_lossy(text).into_owned());
        rest = rest.get(ENTRY + name + more..).ok_or_else(damaged)?;
    }
    Ok(names)
}

fn piece(file: &mut (impl Read + Seek), from: u64, to: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.by_ref()
        .take(to.saturating_sub(from))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A little-endian number of 2, 4 or 8 bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> io::Result<u64> {
    let bytes = bytes.get(at..at + length).ok_or_else(damaged)?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn length_of(bytes: &[u8], at: usize) -> io::Result<usize> {
    number(bytes, at, 2)?.try_into().map_err(|_| damaged())
}

fn damaged() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::names;

    /// A zip of empty, stored files.
    fn zip(paths: &[&str], comment: &str) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for path in paths {
            let offset = u32::try_from(bytes.len()).expect("small").to_le_bytes();
            let length = u16::try_from(path.len()).expect("small").to_le_bytes();
            bytes.extend(
                b"PK\x03\x04"
                    .iter()
                    .chain(&[0; 22])
                    .chain(&length)
                    .chain(&[0; 2]),
            );
            bytes.extend(path.as_bytes());
            directory.extend(
                b"PK\x01\x02"
                    .iter()
                    .chain(&[0; 24])
                    .chain(&length)
                    .chain(&[0; 12])
                    .chain(&offset),
            );
            directory.extend(path.as_bytes());
        }
        let start = u32::try_from(bytes.len()).expect("small").to_le_bytes();
        let length = u32::try_from(directory.len()).expect("small").to_le_bytes();
        let count = u16::try_from(paths.len()).expect("small").to_le_bytes();
        bytes.extend(&directory);
        bytes.extend(
            b"PK\x05\x06\0\0\0\0"
                .iter()
                .chain(&count)
                .chain(&count)
                .chain(&length)
                .chain(&start),
        );
        bytes.extend(u16::try_from(comment.len()).expect("small").to_le_bytes());
        bytes.extend(comment.as_bytes());
        bytes
    }

    #[test]
    fn the_names_are_read_whatever_the_comment() {
        for comment in ["", "made by hand", "PK"] {
            let bytes = zip(&["a/__init__.py", "a/ü.py"], comment);
            let names = names(&mut Cursor::new(bytes)).expect("a zip");
            assert_eq!(names, ["a/__init__.py", "a/ü.py"], "{comment}");
        }
        assert!(
            names(&mut Cursor::new(zip(&[], "")))
                .expect("a zip")
                .is_empty()
        );
    }

    /// The same zip, its end said by the records of ZIP64.
    fn large(paths: &[&str]) -> Vec<u8> {
        let mut bytes = zip(paths, "");
        let end = bytes.split_off(bytes.len() - 22);
        let at = u64::try_from(bytes.len()).expect("small").to_le_bytes();
        let wide = |from: usize, length: usize| {
            let mut wide = [0; 8];
            wide[..length].copy_from_slice(&end[from..from + length]);
            wide
        };
        let count = wide(10, 2);
        bytes.extend(
            b"PK\x06\x06"
                .iter()
                .chain(&[0; 20])
                .chain(&count)
                .chain(&count),
        );
        bytes.extend(wide(12, 4).iter().chain(&wide(16, 4)));
        bytes.extend(b"PK\x06\x07\0\0\0\0".iter().chain(&at).chain(&[1, 0, 0, 0]));
        bytes.extend(
            b"PK\x05\x06\0\0\0\0"
                .iter()
                .chain(&[0xff; 12])
                .chain(&[0; 2]),
        );
        bytes
    }

    #[test]
    fn a_large_zip_is_read_as_well() {
        let read = names(&mut Cursor::new(large(&["a.py", "b/c.py"]))).expect("a zip");
        assert_eq!(read, ["a.py", "b/c.py"]);
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error_and_no_panic() {
        let whole = zip(&["a.py", "b/c.py"], "");
        for length in 0..whole.len() {
            assert!(
                names(&mut Cursor::new(&whole[..length])).is_err(),
                "{length}"
            );
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            // It may still be read, as another list.
            let _ = names(&mut Cursor::new(broken));
        }
    }
}
