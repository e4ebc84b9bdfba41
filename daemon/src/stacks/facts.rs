//! What every stack is recognised by: the kernel command line and the mounts.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use wendy_sys::{
    DevNum,
    mountinfo::{self, Mount},
};

use super::Error;

/// How this system was booted, as far as it can be seen without opening anything.
#[derive(Debug, Clone)]
pub struct BootFacts {
    /// The words of the kernel command line.
    pub parameters: Vec<String>,
    /// The mounts this process can reach.
    pub mounts: Vec<Mount>,
    /// Number of the mount that is the root directory.
    pub root_id: u64,
    /// Whether casper left its mark in `/run`.
    pub casper_mark: bool,
}

/// The overlay that is the root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootOverlay {
    /// Device number of the overlay itself: names this one mount for as long as it lives.
    pub devnum: DevNum,
    /// The upper directory, as the initramfs called it.
    pub upper: PathBuf,
    /// The lower directories, topmost first, as the initramfs called them.
    pub lowers: Vec<PathBuf>,
}

impl BootFacts {
    /// Reads them.
    ///
    /// # Errors
    /// When `/proc` is not there or not readable.
    pub fn read() -> Result<Self, Error> {
        let command_line = fs::read("/proc/cmdline")
            .map_err(|error| Error::Layout(format!("/proc/cmdline cannot be read: {error}")))?;
        let root = statx(CWD, "/", AtFlags::empty(), StatxFlags::MNT_ID)
            .map_err(|error| Error::Layout(format!("/ cannot be looked at: {error}")))?;
        Ok(Self {
            parameters: words(&command_line),
            mounts: mountinfo::read()?,
            root_id: root.stx_mnt_id,
            casper_mark: Path::new("/run/.casper-boot").exists(),
        })
    }

    /// Whether the word `name` or `name=…` is on the command line.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of the last `name=…` on the command line; empty for a bare `name`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().find_map(|word| {
            let rest = word.strip_prefix(name)?;
            if rest.is_empty() {
                Some(rest)
            } else {
                rest.strip_prefix('=')
            }
        })
    }

    /// The mount that is the root directory.
    pub fn root(&self) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.id == self.root_id)
    }

    /// The root directory's overlay; `None` when it is something else or has no upper directory.
    pub fn overlay(&self) -> Option<RootOverlay> {
        let root = self.root().filter(|root| root.fs_type == "overlay")?;
        let joined = root.super_option("lowerdir").unwrap_or_default();
        let mut lowers = split_layers(joined.as_bytes());
        lowers.extend(root.super_options_named("lowerdir+").map(PathBuf::from));
        let upper = PathBuf::from(root.super_option("upperdir")?);
        Some(RootOverlay {
            devnum: root.devnum,
            upper,
            lowers,
        })
    }

    /// The root directory's overlay.
    ///
    /// # Errors
    /// With what the root is instead.
    pub fn overlay_or_explain(&self) -> Result<RootOverlay, Error> {
        self.overlay().ok_or_else(|| {
            let what = self
                .root()
                .map_or("unknown".into(), |root| root.fs_type.display().to_string());
            Error::Layout(format!(
                "the root directory is {what}, not an overlay that can be written to"
            ))
        })
    }

    /// Why no stack wanted this system, in a sentence.
    pub fn why_not_live(&self) -> String {
        match self.root() {
            Some(root) => format!(
                "the system runs from an ordinary {} root filesystem ({}), not from a live image",
                root.fs_type.display(),
                root.source.display()
            ),
            None => "the root filesystem is not in the mount table".into(),
        }
    }
}

/// The mount that shows at exactly this place of the table.
pub fn mounted_at<'a>(mounts: &'a [Mount], place: &Path) -> Option<&'a Mount> {
    mounts.iter().rev().find(|mount| mount.mount_point == place)
}

/// The mount that holds `path`, a path without symbolic links.
pub fn mount_holding<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    path.ancestors().find_map(|place| mounted_at(mounts, place))
}

/// The block devices mounted at these places.
pub fn devices_at(mounts: &[Mount], places: &[&str]) -> Vec<DevNum> {
    let found = places
        .iter()
        .filter_map(|place| mounted_at(mounts, Path::new(place)));
    found.filter_map(block_device).collect()
}

/// The block device of a mount. Filesystems such as btrfs have a device number of their own, but
/// name their device as the source.
pub fn block_device(mount: &Mount) -> Option<DevNum> {
    if mount.devnum.major() != 0 {
        return Some(mount.devnum);
    }
    let source = Path::new(&mount.source);
    let stat = source
        .starts_with("/dev")
        .then(|| rustix::fs::stat(source).ok())??;
    let is_block = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_block_device();
    is_block.then(|| DevNum::new(stat.st_rdev))
}

fn words(command_line: &[u8]) -> Vec<String> {
    let line = String::from_utf8_lossy(command_line);
    line.split_whitespace().map(str::to_owned).collect()
}

/// Splits `lowerdir` at its colons; a backslash takes the next character as it is (kernel
/// documentation, filesystems/overlayfs). Layers after a double colon hold data only.
fn split_layers(joined: &[u8]) -> Vec<PathBuf> {
    let mut layers = vec![Vec::new()];
    let mut bytes = joined.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => layers.last_mut().expect("never empty").extend(bytes.next()),
            b':' => layers.push(Vec::new()),
            other => layers.last_mut().expect("never empty").push(other),
        }
    }
    let named = layers.into_iter().take_while(|layer| !layer.is_empty());
    named
        .map(|layer| PathBuf::from(OsString::from_vec(layer)))
        .collect()
}

#[cfg(test)]
mod tests;
