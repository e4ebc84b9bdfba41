//! The probe program: opens, confines itself, looks, prints. Nothing else.

use std::{
    fs::File,
    io::Write,
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use wendy_sys::{
    block::{Access, BlockDevice},
    confine::{Limits, confine},
    tool::inherited,
};

use super::{
    describe::describe,
    ext4::{self, Ext4Tree},
    marks,
    mounted::{MountedTree, is_busy},
    report::Report,
};

/// In place of a filesystem type: the descriptor is the root of a mounted filesystem.
pub const MOUNTED: &str = "mounted";

/// In place of a filesystem type: only the marks that filesystems leave are looked for.
pub const MARKS: &str = "marks";

/// Exit code when the filesystem is mounted by somebody else and could not be looked at meanwhile
/// (`EX_TEMPFAIL`, sysexits.h).
pub const BUSY: u8 = 75;

/// The exit code for an error of [`run`].
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref().is_some_and(is_busy) {
        BUSY
    } else {
        1
    }
}

/// Runs the program with its arguments: what to expect, and the number of the descriptor.
///
/// # Errors
/// For the person who reads the journal.
pub fn run(arguments: &[String]) -> Result<()> {
    let [kind, number] = arguments else {
        bail!("wendyd starts this program, with a filesystem type and a descriptor");
    };
    let number = number.parse().context("the second argument is no number")?;
    let descriptor = inherited(number).context("the descriptor was not passed")?;
    let report = look(kind, descriptor)?;
    let json = serde_json::to_vec(&report)?;
    std::io::stdout()
        .lock()
        .write_all(&json)
        .context("the report could not be written")
}

/// What the kernel mounts is mounted with privileges and read without.
fn look(kind: &str, descriptor: OwnedFd) -> Result<Report> {
    if ext4::reads(kind) {
        read_past_the_cache(&descriptor);
        confine(Limits::default())?;
        let tree = Ext4Tree::open(File::from(descriptor));
        return Ok(describe(&tree.context("no sound ext filesystem")?));
    }
    if kind == MARKS {
        confine(Limits::default())?;
        let marks = marks::on(&File::from(descriptor)).context("the device cannot be read")?;
        return Ok(Report {
            marks,
            ..Report::default()
        });
    }
    if kind == MOUNTED {
        confine(Limits::default())?;
        return Ok(describe(&MountedTree::from_root(descriptor)));
    }
    let device = BlockDevice::open(&proc_path(&descriptor), Access::Read)?;
    let tree = MountedTree::mount(kind, &device)?;
    confine(Limits::default())?;
    Ok(describe(&tree))
}

fn proc_path(descriptor: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()))
}

/// Where the device cannot do that, its cache is as good: then nobody mounts it.
fn read_past_the_cache(device: &OwnedFd) {
    if let Ok(flags) = fcntl_getfl(device) {
        let _ = fcntl_setfl(device, flags | OFlags::DIRECT);
    }
}
