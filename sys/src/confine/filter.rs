//! The system calls a confined reader may make.

use std::env::consts::ARCH;

use libc::{O_CREAT, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY, PROT_EXEC};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::{Error, Result};

/// Reading of files and directories, and findings written to open descriptors.
const FILES: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_readv,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    // A panic that prints a backtrace asks for it.
    libc::SYS_getcwd,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fadvise64,
    // Its flags lie behind a pointer; read-only mounts and RLIMIT_FSIZE keep it from writing.
    libc::SYS_openat2,
];

/// What a program needs to run at all: memory, signals, locks, time, randomness, its end.
const RUNTIME: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Installs the filter; whatever it does not allow kills the process.
pub(super) fn apply() -> Result<()> {
    let program =
        compile().map_err(|error| Error::invalid("system call filter", error.to_string()))?;
    apply_filter(&program).map_err(|error| Error::invalid("system call filter", error.to_string()))
}

fn compile() -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let unconditional = FILES.iter().chain(RUNTIME).map(|&call| (call, Vec::new()));
    let conditional = [
        (libc::SYS_openat, vec![opens_for_reading()?]),
        (libc::SYS_mmap, vec![without_bits(2, PROT_EXEC)?]),
        (libc::SYS_mprotect, vec![without_bits(2, PROT_EXEC)?]),
    ];
    SeccompFilter::new(
        unconditional.chain(conditional).collect(),
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        ARCH.try_into()?,
    )?
    .try_into()
}

/// `openat` that neither writes, creates nor truncates.
fn opens_for_reading() -> std::result::Result<SeccompRule, seccompiler::BackendError> {
    const O_DIRECTORY: i32 = libc::O_DIRECTORY;
    // O_TMPFILE contains O_DIRECTORY, which reading needs.
    without_bits(
        2,
        O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & !O_DIRECTORY),
    )
}

/// Allows the call when none of `bits` is set in its argument `index`.
fn without_bits(
    index: u8,
    bits: i32,
) -> std::result::Result<SeccompRule, seccompiler::BackendError> {
    let mask = u64::from(bits.cast_unsigned());
    let condition = SeccompCondition::new(
        index,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(mask),
        0,
    )?;
    SeccompRule::new(vec![condition])
}
