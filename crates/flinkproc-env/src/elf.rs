//! Reads of an ELF file what decides whether it starts elsewhere: the versions of the C library that it needs.

use crate::request::Glibc;

const VERSION_NEEDS: u32 = 0x6fff_fffe;

/// Whether these bytes begin an ELF file.
pub(crate) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// The newest `GLIBC_` version among the symbols that a 64-bit little-endian ELF file needs; none when it needs none.
pub(crate) fn needs_glibc(bytes: &[u8]) -> Option<Glibc> {
    if !is_elf(bytes) || bytes.get(4..6)? != [2, 1] {
        return None;
    }
    let table = usize::try_from(u64_at(bytes, 40)?).ok()?;
    let size = usize::from(u16_at(bytes, 58)?);
    let count = usize::from(u16_at(bytes, 60)?);
    let section = |index: usize| Section::read(bytes, table.checked_add(index.checked_mul(size)?)?);
    let mut newest = None;
    for needs in (0..count).filter_map(section) {
        if needs.kind != VERSION_NEEDS {
            continue;
        }
        let names = section(usize::try_from(needs.link).ok()?)?;
        newest = newest.max(newest_of(bytes, &needs, &names));
    }
    newest
}

struct Section {
    kind: u32,
    link: u32,
    offset: usize,
}

impl Section {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        Some(Self {
            kind: u32_at(bytes, at.checked_add(4)?)?,
            offset: usize::try_from(u64_at(bytes, at.checked_add(24)?)?).ok()?,
            link: u32_at(bytes, at.checked_add(40)?)?,
        })
    }
}

/// Walks the libraries of a `verneed` section, and the versions of each.
fn newest_of(bytes: &[u8], needs: &Section, names: &Section) -> Option<Glibc> {
    let mut newest = None;
    let mut library = needs.offset;
    loop {
        let versions = usize::from(u16_at(bytes, library + 2)?);
        let mut version =
            library.checked_add(usize::try_from(u32_at(bytes, library + 8)?).ok()?)?;
        for _ in 0..versions {
            let name = usize::try_from(u32_at(bytes, version + 8)?).ok()?;
            let name = text_at(bytes, names.offset.checked_add(name)?)?;
            newest = newest.max(name.strip_prefix("GLIBC_").and_then(Glibc::parse));
            version = version.checked_add(usize::try_from(u32_at(bytes, version + 12)?).ok()?)?;
        }
        match u32_at(bytes, library + 12)? {
            0 => return newest,
            next => library = library.checked_add(usize::try_from(next).ok()?)?,
        }
    }
}

fn text_at(bytes: &[u8], at: usize) -> Option<&str> {
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(rest.get(..end)?).ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(
        bytes.get(at..at.checked_add(8)?)?.try_into().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::{is_elf, needs_glibc};
    use crate::request::Glibc;

    #[test]
    fn this_very_program_needs_a_c_library() {
        let own = std::fs::read(std::env::current_exe().expect("own path")).expect("own file");
        let needs = needs_glibc(&own).expect("a version");
        assert!(needs > Glibc(2, 2) && needs < Glibc(3, 0), "{needs}");
    }

    #[test]
    fn what_is_no_elf_file_or_half_of_one_needs_nothing() {
        let own = std::fs::read(std::env::current_exe().expect("own path")).expect("own file");
        assert!(!is_elf(b"#!/bin/sh"));
        for bytes in [&b""[..], b"#!/bin/sh", &own[..5], &own[..64], &own[..4096]] {
            assert_eq!(needs_glibc(bytes), None);
        }
    }
}
