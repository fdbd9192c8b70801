//! Driver output: written to numbered objects while it is printed, closed by an empty one.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::clock::real_sleep;
use crate::storage::{Storage, StorageError, split_uri};

/// An object is written when so much has come, or so long after its first byte.
const LARGEST: usize = 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(1);

/// Writes what comes to `URI.000000000`, `URI.000000001`, …, and an empty object when nothing more will come.
///
/// Pieces that cannot be written are read on, so that the driver is not held up, and the first error is the answer.
pub(crate) async fn write(
    storage: Option<Storage>,
    uri: String,
    mut pieces: mpsc::Receiver<Bytes>,
) -> Result<(), StorageError> {
    let place = storage.as_ref().zip(split_uri(&uri));
    let Some((storage, (bucket, object))) = place else {
        while pieces.recv().await.is_some() {}
        return Ok(());
    };
    let mut number = 0_u32;
    let mut outcome = Ok(());
    loop {
        let piece = next(&mut pieces).await;
        let content = piece.clone().unwrap_or_default();
        if outcome.is_ok() {
            let name = format!("{object}.{number:09}");
            outcome = storage.put(bucket, &name, "text/plain", &content).await;
            number += 1;
        }
        if piece.is_none() {
            return outcome;
        }
    }
}

/// What is printed within the limits of one object; `None` at the end. Never empty.
async fn next(pieces: &mut mpsc::Receiver<Bytes>) -> Option<Bytes> {
    let first = loop {
        let first = pieces.recv().await?;
        if !first.is_empty() {
            break first;
        }
    };
    let mut gathered = BytesMut::from(first.as_ref());
    let full = real_sleep(LONGEST);
    tokio::pin!(full);
    while gathered.len() < LARGEST {
        tokio::select! {
            piece = pieces.recv() => match piece {
                Some(piece) => gathered.extend_from_slice(&piece),
                None => break,
            },
            () = &mut full => break,
        }
    }
    Some(gathered.freeze())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{LARGEST, next};
    use crate::runtime::DriverOutput;

    #[tokio::test]
    async fn pieces_are_gathered_and_none_is_lost() {
        let (output, mut pieces) = DriverOutput::channel(8);
        output.write("a").await;
        output.write("").await;
        output.write("b").await;
        output.write(vec![b'c'; LARGEST]).await;
        output.write("d").await;
        drop(output);
        let mut all = Vec::new();
        while let Some(piece) = next(&mut pieces).await {
            all.push(piece);
        }
        let lengths: Vec<usize> = all.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [LARGEST + 2, 1]);
    }
}
