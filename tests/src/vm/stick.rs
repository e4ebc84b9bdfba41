//! Sticks: image files that a machine sees as USB storage.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::machine::program;

/// A stick. Its file lives as long as this value.
#[derive(Debug)]
pub struct Stick {
    serial: String,
    read_only: bool,
    dir: TempDir,
}

/// How a stick is plugged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plug {
    /// As fast as the emulator goes.
    #[default]
    Fast,
    /// Writing no more than so many bytes in a second.
    Slow(u64),
    /// Writing no more than so many times in a second, whatever the size.
    Steps(u64),
    /// As fast as the emulator goes, and every write is noted: see [`super::Recording`].
    Recorded,
}

impl Stick {
    /// A new stick of that many bytes, nothing on it. The serial number is what the system will
    /// know it by.
    pub fn blank(serial: &str, size: u64) -> Result<Stick> {
        let stick = Stick {
            serial: serial.to_owned(),
            read_only: false,
            dir: tempfile::tempdir()?,
        };
        File::create_new(stick.file())?.set_len(size)?;
        Ok(stick)
    }

    /// Another stick with the same on it.
    pub fn copied(&self, serial: &str) -> Result<Stick> {
        let stick = Stick {
            serial: serial.to_owned(),
            read_only: false,
            dir: tempfile::tempdir()?,
        };
        copy_sparsely(&self.file(), &stick.file())?;
        Ok(stick)
    }

    /// A read-only carrier for files that go into a machine.
    pub fn carrying(serial: &str, files: &[PathBuf]) -> Result<Stick> {
        let stick = Stick {
            serial: serial.to_owned(),
            read_only: true,
            dir: tempfile::tempdir()?,
        };
        let output = program("/usr/bin/xorriso")
            .args(["-as", "mkisofs", "-quiet", "-R", "-V", "CARRIER", "-o"])
            .arg(stick.file())
            .args(files)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "xorriso: {said}");
        Ok(stick)
    }

    /// A stick of that many bytes that is one NTFS, for a live system that could not make it.
    pub fn ntfs(serial: &str, size: u64) -> Result<Stick> {
        let stick = Stick::blank(serial, size)?;
        let output = program("/usr/sbin/mkntfs")
            .args(["--quiet", "--fast", "--force"])
            .arg(stick.file())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "mkntfs: {said}");
        Ok(stick)
    }

    /// A stick of that many bytes, a file written to its beginning: what `dd` does.
    pub fn written(serial: &str, size: u64, file: &Path) -> Result<Stick> {
        let stick = Stick {
            serial: serial.to_owned(),
            read_only: false,
            dir: tempfile::tempdir()?,
        };
        copy_sparsely(file, &stick.file())?;
        let copy = File::options().write(true).open(stick.file())?;
        ensure!(
            copy.metadata()?.len() <= size,
            "{} does not fit",
            file.display()
        );
        copy.set_len(size)?;
        Ok(stick)
    }

    /// The image file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("stick.img")
    }

    /// What was on it when it was plugged in to be recorded.
    pub(super) fn before(&self) -> PathBuf {
        self.dir.path().join("before.img")
    }

    /// The emulator's log of what was written since.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.path().join("writes.log")
    }

    /// Keeps what is on it, and makes room for the log.
    pub(super) fn begin_recording(&self) -> Result<()> {
        copy_sparsely(&self.file(), &self.before())?;
        File::create(self.log())?;
        Ok(())
    }

    /// Whether nothing was ever written to a blank stick.
    pub fn is_untouched(&self) -> Result<bool> {
        Ok(std::fs::metadata(self.file())?.blocks() == 0)
    }

    /// Whether the stick begins with what is in a file, the first bytes of both set aside.
    pub fn holds(&self, file: &Path, set_aside: u64) -> Result<bool> {
        let compared = program("/usr/bin/cmp")
            .arg("--silent")
            .arg(format!("--ignore-initial={set_aside}"))
            .arg(format!("--bytes={}", file.metadata()?.len() - set_aside))
            .args([&self.file(), file])
            .status()?;
        Ok(compared.success())
    }

    /// The serial number, which is also the emulator's name for it.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    pub(super) fn read_only(&self) -> bool {
        self.read_only
    }

    /// The whole device's node inside the machine, whatever letter it got.
    pub fn node(&self) -> String {
        format!("/dev/disk/by-id/usb-QEMU_QEMU_HARDDISK_{}-0:0", self.serial)
    }
}

/// Copies an image file without filling its holes.
pub(super) fn copy_sparsely(from: &Path, to: &Path) -> Result<()> {
    let copied = program("/usr/bin/cp")
        .args(["--sparse=always", "--reflink=auto", "--"])
        .args([from, to])
        .status()?;
    ensure!(copied.success(), "copying {}: {copied}", from.display());
    Ok(())
}
