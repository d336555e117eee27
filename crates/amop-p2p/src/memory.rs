//! What a process does with memory that it no longer needs.

/// Has glibc keep up to 8 MiB of what this process frees.
///
/// It begins with 128 KiB, so that the memory of large messages and of the pieces of files would be given back to the
/// kernel and come again page by page. Once more is freed at a time, it keeps twice as much (mallopt(3),
/// `M_MMAP_THRESHOLD`): this does that once, and needs no more afterwards. Other allocators take no notice.
pub fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(4 << 20)));
}
