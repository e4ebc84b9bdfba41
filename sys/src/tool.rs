//! The one way to run an external program.
//!
//! A program is found in the system's own directories, never through `PATH`; gets exactly the
//! arguments, environment and descriptors named here, never a shell; and runs in a process group
//! of its own, so that a cancelled job takes its helpers' helpers along.

mod session;

use std::{
    ffi::{OsStr, OsString},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use rustix::{
    fs::{Access, access},
    io::{FdFlags, fcntl_setfd},
};

use crate::{Cancel, Error, Result, error::Context};

/// Where programs are looked for, in this order.
const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// How much of the standard error goes into an error, in bytes.
const STDERR_TAIL: usize = 1024;

/// A program about to be run.
#[derive(Debug)]
#[must_use = "a tool does nothing until it is run"]
pub struct Tool<'a> {
    name: OsString,
    program: Option<PathBuf>,
    args: Vec<OsString>,
    fds: Vec<BorrowedFd<'a>>,
    stdin: Option<Vec<u8>>,
    accepted: Vec<i32>,
}

/// What a program left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code, one of the accepted ones.
    pub code: i32,
    /// Everything written to the standard output.
    pub stdout: Vec<u8>,
    /// Everything written to the standard error.
    pub stderr: Vec<u8>,
}

impl<'a> Tool<'a> {
    /// The program `name` from the system's directories; a name with a slash is never found.
    pub fn new(name: &str) -> Self {
        Self::with_program(OsString::from(name), find(name).ok())
    }

    /// This very program again, for work that needs a process of its own.
    pub fn own_program() -> Self {
        Self::with_program(
            "wendy's helper".into(),
            Some(PathBuf::from("/proc/self/exe")),
        )
    }

    /// A helper of wendy's own at `program`, installed where no one looks for programs.
    pub fn helper(program: &Path) -> Self {
        Self::with_program(program.as_os_str().to_owned(), Some(program.to_owned()))
    }

    fn with_program(name: OsString, program: Option<PathBuf>) -> Self {
        Self {
            name,
            program,
            args: Vec::new(),
            fds: Vec::new(),
            stdin: None,
            accepted: vec![0],
        }
    }

    /// Adds one argument, passed on as it is.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments, passed on as they are.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Lets the program inherit `fd` under its number here, so that `/proc/self/fd/N` (see
    /// [`BlockDevice::proc_path`](crate::block::BlockDevice::proc_path)) leads it to the object.
    pub fn pass_fd(mut self, fd: BorrowedFd<'a>) -> Self {
        self.fds.push(fd);
        self
    }

    /// Gives the program these bytes on its standard input; without them it reads nothing.
    pub fn stdin_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Takes exit code `code` for success as well, for tools such as `e2fsck` that tell with it
    /// what they did.
    pub fn accept(mut self, code: i32) -> Self {
        self.accepted.push(code);
        self
    }

    /// Runs the program to its end.
    ///
    /// At a request to stop, the whole process group gets SIGTERM, after five seconds SIGKILL,
    /// and the result is [`Error::Cancelled`]. A program that fails gives [`Error::Tool`].
    pub fn run(self, cancel: &Cancel) -> Result<Output> {
        cancel.check()?;
        tracing::debug!(tool = ?self.name, args = ?self.args, "running");
        let child = self
            .command()?
            .spawn()
            .during(|| format!("start {}", self.name.display()))?;
        let finished = session::follow(child, self.stdin.as_deref().unwrap_or_default(), cancel)?;
        self.judge(finished)
    }

    fn command(&self) -> Result<Command> {
        let program = self.program.as_ref().ok_or_else(|| Error::ToolMissing {
            tool: self.name.display().to_string(),
        })?;
        #[allow(
            clippy::disallowed_methods,
            reason = "this is the runner the rule points to"
        )]
        let mut command = Command::new(program);
        command
            .args(&self.args)
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", DIRECTORIES.join(":"))
            .current_dir("/")
            .process_group(0)
            .stdin(if self.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        inherit(
            &mut command,
            self.fds.iter().map(AsRawFd::as_raw_fd).collect(),
        );
        Ok(command)
    }

    fn judge(self, finished: session::Finished) -> Result<Output> {
        let session::Finished {
            status,
            stdout,
            stderr,
        } = finished;
        match status.code() {
            Some(code) if self.accepted.contains(&code) => Ok(Output {
                code,
                stdout,
                stderr,
            }),
            code => Err(Error::Tool {
                tool: self.name.display().to_string(),
                status: in_words(status),
                code,
                stderr_tail: tail(&stderr),
            }),
        }
    }
}

/// Where the program `name` is installed; [`Error::ToolMissing`] when it is not.
pub fn find(name: &str) -> Result<PathBuf> {
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let mut candidates = DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(name));
    let found = if name.contains('/') {
        None
    } else {
        candidates.find(is_program)
    };
    found.ok_or_else(|| Error::ToolMissing {
        tool: name.to_owned(),
    })
}

/// Takes over descriptor `number`, which the program that started this one passed on with
/// [`Tool::pass_fd`]. To be called once, before anything else is opened.
#[allow(unsafe_code)]
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    let what = || format!("take over descriptor {number}");
    if number <= libc::STDERR_FILENO {
        return Err(Error::os(what(), crate::Errno::BADF));
    }
    // SAFETY: only borrowed to ask whether it is open; a closed one gives EBADF.
    let passed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_setfd(passed, FdFlags::CLOEXEC).during(what)?;
    // SAFETY: it is open, and by contract nothing in this program owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets the child keep `fds` across exec.
///
/// The flag is cleared in the child, not here: another thread that starts a program at the same
/// time must not hand it our devices.
#[allow(unsafe_code)]
fn inherit(command: &mut Command, fds: Vec<RawFd>) {
    if fds.is_empty() {
        return;
    }
    let keep_open = move || {
        for fd in &fds {
            // SAFETY: the descriptor is borrowed by the `Tool` for as long as the child is started,
            // and fork has copied it.
            let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes one system call per descriptor; it
    // neither allocates nor locks.
    unsafe { command.pre_exec(keep_open) };
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The end of a program's messages, fit for a log line.
fn tail(stderr: &[u8]) -> String {
    let start = stderr.len().saturating_sub(STDERR_TAIL);
    let text = String::from_utf8_lossy(&stderr[start..]);
    let printable = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    printable.collect()
}

#[cfg(test)]
mod tests;
