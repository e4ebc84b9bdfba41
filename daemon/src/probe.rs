//! Looking at what a stranger wrote, without giving it a chance.
//!
//! A medium is read by a program of its own, `wendy-probe`, that gets one descriptor, gives up
//! every privilege before it reads the first file, and prints what it saw. Whatever a crafted
//! filesystem does to it, the daemon gets an error, late at worst. ext2, ext3 and ext4 are read
//! by a parser of ours straight from the device; the others by the kernel, through a mount nobody
//! else sees that runs nothing, trusts nothing and writes nothing.

mod describe;
mod ext4;
pub mod helper;
mod marks;
mod mounted;
mod report;
mod tree;

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::Duration,
};

use wendy_sys::{Cancel, block::BlockDevice, mount::DetachedMount, tool::Tool};

pub use report::{Image, Kind, Report, SessionSeen, Space, Text};

/// How long a look at one medium may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// The longest report that is read, in bytes.
const MOST_OUTPUT: usize = 256 << 10;

/// Starts the probe program.
#[derive(Debug, Clone)]
pub struct Prober {
    program: PathBuf,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A device that is not mounted, with the type of its filesystem.
    Device(&'a BlockDevice, &'a str),
    /// A filesystem that is mounted already: a read-only second mount of it.
    Mounted(&'a DetachedMount),
    /// A device without a filesystem that could be made out: only the marks on it are reported.
    Marks(&'a BlockDevice),
}

/// Why nothing is known about a medium.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A type the probe does not read.
    #[error("a filesystem of type {0} is not looked at")]
    Unsupported(String),
    /// The program could not do it, or was ended for what it tried.
    #[error("the medium could not be read: {0}")]
    Failed(#[from] wendy_sys::Error),
    /// The program took too long.
    #[error("the medium could not be read within {} seconds", TIME_LIMIT.as_secs())]
    TimedOut,
    /// Somebody else has it mounted where we do not see it.
    #[error("the medium is mounted elsewhere")]
    Busy,
    /// What the program printed makes no sense.
    #[error("the report about the medium makes no sense")]
    Nonsense,
}

impl Prober {
    /// The probe program at `program`; [`Prober::installed`] finds it.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// The program that is installed beside this one.
    pub fn installed() -> std::io::Result<Self> {
        Ok(Self::new(
            std::env::current_exe()?.with_file_name("wendy-probe"),
        ))
    }

    /// Looks at a medium; blocks for as long as that takes, ten seconds at most.
    ///
    /// # Errors
    /// [`ProbeError`]; nothing about the medium can be trusted then, not even that it is damaged.
    pub fn look(&self, target: Target<'_>) -> Result<Report, ProbeError> {
        let (kind, fd) = target.parts();
        if !is_readable(kind) {
            return Err(ProbeError::Unsupported(super::devices::shown(kind)));
        }
        let fd = fd.try_clone_to_owned().map_err(system)?;
        let output = run_in_time(self.program.clone(), kind.to_owned(), fd)?;
        if output.len() > MOST_OUTPUT {
            return Err(ProbeError::Nonsense);
        }
        serde_json::from_slice(&output).map_err(|_| ProbeError::Nonsense)
    }
}

/// Whether the probe can look at a filesystem of this type, as libblkid names it.
pub fn is_readable(fs_type: &str) -> bool {
    matches!(fs_type, helper::MOUNTED | helper::MARKS)
        || ext4::reads(fs_type)
        || mounted::reads(fs_type)
}

impl Target<'_> {
    fn parts(&self) -> (&str, BorrowedFd<'_>) {
        match self {
            Self::Device(device, fs_type) => (fs_type, device.fd()),
            Self::Mounted(mount) => (helper::MOUNTED, mount.as_fd()),
            Self::Marks(device) => (helper::MARKS, device.fd()),
        }
    }
}

/// Runs the program on a thread of its own that ends with it, which may be late: a program that
/// waits for a dying medium cannot be killed, and is not waited for.
fn run_in_time(program: PathBuf, kind: String, fd: OwnedFd) -> Result<Vec<u8>, ProbeError> {
    let cancel = Cancel::new();
    let bell = cancel.clone();
    let (done, ended) = mpsc::channel();
    let run = move || {
        let tool = Tool::helper(&program)
            .arg(kind)
            .arg(fd.as_raw_fd().to_string())
            .pass_fd(fd.as_fd());
        // After the time limit nobody listens any more.
        let _ = done.send(tool.run(&bell));
    };
    let thread = thread::Builder::new().name("probe".to_owned());
    thread.spawn(run).map_err(system)?;
    match ended.recv_timeout(TIME_LIMIT) {
        Ok(Ok(output)) => Ok(output.stdout),
        Ok(Err(wendy_sys::Error::Tool { code, .. })) if code == Some(helper::BUSY.into()) => {
            Err(ProbeError::Busy)
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            cancel.cancel();
            Err(ProbeError::TimedOut)
        }
    }
}

fn system(source: std::io::Error) -> wendy_sys::Error {
    let what = "start the probe".to_owned();
    wendy_sys::Error::Os { what, source }
}
