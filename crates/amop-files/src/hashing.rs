//! Hashes a file chunk by chunk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use amop_wire::FileLayout;
use bytes::BytesMut;
use sha2::{Digest, Sha256};

/// The hash of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The hash of all that it was given, which it goes on from.
pub(crate) fn hash_so_far(bytes: &Sha256) -> [u8; 32] {
    bytes.clone().finalize().into()
}

/// Reads one chunk into the buffer, which gets its length.
///
/// # Errors
///
/// Those of the disk; `UnexpectedEof` if the file is shorter than its layout.
pub(crate) fn read_chunk(
    file: &File,
    layout: &FileLayout,
    chunk: u64,
    buffer: &mut BytesMut,
) -> io::Result<()> {
    let list = layout.list_bytes();
    let part = layout.part_at(list + chunk * amop_wire::limits::FILE_CHUNK_BYTES);
    let bytes = usize::try_from(part.end - part.start).expect("a chunk fits in memory");
    buffer.resize(bytes, 0);
    file.read_exact_at(buffer, part.start - list)
}

/// The hash of a whole file of this layout.
///
/// # Errors
///
/// Those of [`read_chunk`].
pub(crate) fn file_sha256(file: &File, layout: &FileLayout) -> io::Result<[u8; 32]> {
    let (mut whole, mut buffer) = (Sha256::new(), BytesMut::new());
    for chunk in 0..layout.chunks() {
        read_chunk(file, layout, chunk, &mut buffer)?;
        whole.update(&buffer);
    }
    Ok(whole.finalize().into())
}
