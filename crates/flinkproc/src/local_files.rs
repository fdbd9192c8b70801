//! Looks at the local files that a plan depends on.

use std::fs::{self, File};
use std::io::{self, Read as _};

use flinkproc_plan::{ArchiveFact, LocalFact, LocalFacts, LocalNeed, NeedKind};
use flinkproc_staging::LocalFile;

use crate::error::AppError;

mod zip;

/// Reads each file once, in pieces: its size, its digest, and whether it is UTF-8.
pub(crate) fn look_at(needs: &[LocalNeed]) -> Result<LocalFacts, AppError> {
    let mut facts = LocalFacts::default();
    for need in needs {
        match need.kind {
            NeedKind::File => see(&mut facts, &need.path),
            NeedKind::Archive => {
                see(&mut facts, &need.path);
                if let Some(fact) = archive(&need.path) {
                    facts.archives.insert(need.path.clone(), fact);
                }
            }
            NeedKind::Text => match fs::read_to_string(&need.path) {
                Ok(text) => {
                    facts.texts.insert(need.path.clone(), text);
                }
                Err(_) => see(&mut facts, &need.path),
            },
            NeedKind::Pattern => {
                let matches = expand(need)?;
                for path in &matches {
                    see(&mut facts, path);
                }
                facts.matches.insert(need.path.clone(), matches);
            }
        }
    }
    Ok(facts)
}

fn see(facts: &mut LocalFacts, path: &str) {
    facts
        .files
        .entry(path.to_owned())
        .or_insert_with(|| fact(path));
}

fn expand(need: &LocalNeed) -> Result<Vec<String>, AppError> {
    let wrong = |problem: String| AppError::Argument {
        text: need.path.clone(),
        what: "pattern for local files",
        how: format!("{}: {problem}", need.key),
    };
    let paths = glob::glob(&need.path).map_err(|error| wrong(error.to_string()))?;
    let mut matches = Vec::new();
    for path in paths {
        let path = path.map_err(|error| wrong(error.to_string()))?;
        if path.is_file() {
            let text = path
                .to_str()
                .ok_or_else(|| wrong(format!("{} is not UTF-8", path.display())))?;
            matches.push(text.to_owned());
        }
    }
    Ok(matches)
}

fn fact(path: &str) -> LocalFact {
    match digest(path) {
        Ok(fact) => fact,
        Err(error) if error.kind() == io::ErrorKind::NotFound => LocalFact::Missing,
        Err(error) => LocalFact::Unreadable(error.to_string()),
    }
}

/// What an archive is; none where it cannot be read, which its other fact says.
fn archive(path: &str) -> Option<ArchiveFact> {
    let mut file = File::open(path).ok()?;
    let mut first = Vec::new();
    file.by_ref().take(512).read_to_end(&mut first).ok()?;
    match ArchiveFact::of(&first) {
        Some(fact) => Some(fact),
        None => Some(match zip::names(&mut file) {
            Ok(names) => ArchiveFact::Zip { names },
            Err(_) => ArchiveFact::Other("cut or damaged".to_owned()),
        }),
    }
}

fn digest(path: &str) -> io::Result<LocalFact> {
    if fs::metadata(path)?.is_dir() {
        return Ok(LocalFact::Directory);
    }
    // A character may be cut by the end of a piece: its beginning waits for the next piece.
    let (mut utf8, mut waiting) = (true, Vec::new());
    let file = LocalFile::read_with(path, |bytes| {
        if utf8 {
            waiting.extend_from_slice(bytes);
            match std::str::from_utf8(&waiting) {
                Ok(_) => waiting.clear(),
                Err(error) if error.error_len().is_none() => {
                    waiting.drain(..error.valid_up_to());
                }
                Err(_) => utf8 = false,
            }
        }
    })?;
    Ok(LocalFact::File {
        size: file.size,
        sha256: file.sha256.to_string(),
        crc32c: Some(file.crc32c),
        utf8: utf8 && waiting.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use flinkproc_plan::LocalFact;

    use super::fact;

    #[test]
    fn a_file_is_seen_as_what_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let check = |name: &str, content: Option<&[u8]>| {
            let path = directory.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).expect("written");
            }
            fact(path.to_str().expect("UTF-8"))
        };
        assert_eq!(check("missing", None), LocalFact::Missing);
        assert_eq!(
            fact(directory.path().to_str().expect("UTF-8")),
            LocalFact::Directory
        );
        let utf8 = |fact| matches!(fact, LocalFact::File { utf8: true, .. });
        assert!(utf8(check("text", Some("ü".as_bytes()))));
        assert!(!utf8(check("bytes", Some(b"\xff\xfe"))));
        assert!(!utf8(check("cut", Some(&"ü".as_bytes()[..1]))));
        // The character lies across the end of the first piece.
        let long = format!("{}ü", "x".repeat((1 << 20) - 1));
        let expected = flinkproc_plan::sha256_hex(long.as_bytes());
        let seen = check("long", Some(long.as_bytes()));
        assert_eq!(
            seen,
            LocalFact::File {
                size: long.len() as u64,
                sha256: expected,
                crc32c: Some(0x8b94_ae52),
                utf8: true
            }
        );
    }
}
