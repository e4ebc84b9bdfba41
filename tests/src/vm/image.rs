//! The live systems under test, as `images/live-image` builds them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};

use super::machine::program;

/// A release of Debian that the tests boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
}

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
        }
    }
}

/// A stock live system: kernel, initramfs and medium, none of it touched after it was built.
#[derive(Debug, Clone)]
pub struct LiveImage {
    dir: PathBuf,
}

impl LiveImage {
    /// The image of a suite, built now if the cache does not have it.
    pub fn of(suite: Suite) -> Result<LiveImage> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("images/live-image");
        let built = program(&script)
            .arg(suite.name())
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(
            built.status.success(),
            "{} {}: {}",
            script.display(),
            suite.name(),
            built.status
        );
        let printed = String::from_utf8(built.stdout)?;
        Ok(LiveImage {
            dir: PathBuf::from(printed.trim_end()),
        })
    }

    /// Where memory images of this very image are kept: they go when it goes.
    pub(super) fn memory_dir(&self) -> PathBuf {
        self.dir.join("memory")
    }

    /// A file of the image: `medium.iso`, `vmlinuz` or `initrd.img`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
