//! A few small files as one tar (POSIX ustar), so that they travel in one go.

const BLOCK: usize = 512;

/// One regular file; the name has at most 100 bytes and no folder.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) mode: u32,
    pub(super) content: &'a [u8],
}

/// The archive of these files, in this order.
pub(super) fn archive<'a>(entries: impl IntoIterator<Item = Entry<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&header(&entry));
        bytes.extend_from_slice(entry.content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn header(entry: &Entry<'_>) -> [u8; BLOCK] {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(text) {
            *to = *from;
        }
    };
    put(0, entry.name.as_bytes());
    put(100, format!("{:07o}", entry.mode).as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{:011o}", entry.content.len()).as_bytes());
    put(136, b"00000000000");
    // The sum is taken with spaces in its own place.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    for (to, from) in header.iter_mut().skip(148).zip(text.as_bytes()) {
        *to = *from;
    }
    header
}

#[cfg(test)]
mod tests {
    use super::{Entry, archive};

    #[test]
    fn sizes_are_whole_blocks_and_the_end_is_marked() {
        let entry = |content| Entry {
            name: "a",
            mode: 0o600,
            content,
        };
        assert_eq!(archive([]).len(), 1024);
        assert_eq!(archive([entry(b"".as_slice())]).len(), 1536);
        assert_eq!(archive([entry(&[b'x'; 512])]).len(), 2048);
        assert_eq!(archive([entry(&[b'x'; 513])]).len(), 2560);
        // The checksum that GNU tar computed for the same header.
        let bytes = archive([entry(b"hi".as_slice())]);
        assert_eq!(bytes.get(257..263), Some(b"ustar\0".as_slice()));
    }
}
