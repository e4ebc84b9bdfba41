//! Memory that is used no more.

/// Gives what was freed back to the kernel (malloc_trim(3)). The allocator keeps it otherwise when
/// anything beside it is still in use, however much it is.
#[allow(unsafe_code, reason = "a call of the C library")]
pub fn give_back() {
    // SAFETY: it takes a number, may be called from any thread, and moves nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}
