//! The live systems under test, as the scripts in `images/` build them.

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

/// A live stack other than live-boot, as Debian 13 has or imitates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherStack {
    /// dracut's dmsquash-live: an overlay over the root tree.
    Dracut,
    /// The same in its older layout: a device-mapper snapshot of a filesystem image.
    LiveOs,
    /// The mounts of Ubuntu's casper.
    Casper,
}

impl OtherStack {
    fn name(self) -> &'static str {
        match self {
            OtherStack::Dracut => "dracut",
            OtherStack::LiveOs => "liveos",
            OtherStack::Casper => "casper",
        }
    }

    fn parameters(self) -> &'static str {
        match self {
            OtherStack::Dracut | OtherStack::LiveOs => "root=live:LABEL=LIVE rd.live.image",
            OtherStack::Casper => "boot=casper",
        }
    }
}

/// A stock live system: kernel, initramfs and medium, none of it touched after it was built.
#[derive(Debug, Clone)]
pub struct LiveImage {
    dir: PathBuf,
    parameters: &'static str,
}

impl LiveImage {
    /// The image of a suite, started by live-boot; built now if the cache does not have it.
    pub fn of(suite: Suite) -> Result<LiveImage> {
        Ok(LiveImage {
            dir: build("live-image", suite.name())?,
            parameters: "boot=live components",
        })
    }

    /// The image that another stack starts; built now if the cache does not have it.
    pub fn started_by(stack: OtherStack) -> Result<LiveImage> {
        Ok(LiveImage {
            dir: build("stack-image", stack.name())?,
            parameters: stack.parameters(),
        })
    }

    /// What its boot menu has on the kernel's command line.
    pub(super) fn parameters(&self) -> &'static str {
        self.parameters
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

/// Has a script of the bench build an image, or find it, and gives its directory.
fn build(script: &str, kind: &str) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("images")
        .join(script);
    let built = program(&script)
        .arg(kind)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(
        built.status.success(),
        "{} {kind}: {}",
        script.display(),
        built.status
    );
    let printed = String::from_utf8(built.stdout)?;
    Ok(PathBuf::from(printed.trim_end()))
}
