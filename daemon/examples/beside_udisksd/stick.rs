//! A stick that is plugged in and pulled out.

use std::{
    fs::{self, File},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use tempfile::TempDir;
use wendy_sys::{
    Cancel,
    loopdev::{Loop, LoopOptions},
    tool::Tool,
};
use zbus::{
    OwnedObjectPath,
    fdo::{InterfacesAdded, InterfacesAddedStream, ObjectManagerProxy},
};

use crate::{Result, Subject, patience::within, udev::Udev};

const SIZE: u64 = 64 << 20;

/// The content of a stick: one ext4.
pub struct Stick {
    image: PathBuf,
    _directory: TempDir,
}

/// How long it took until the bus showed a stick.
#[derive(Debug, Clone, Copy)]
pub struct Plugged {
    /// From the moment it was in; most of this is the work of udev.
    pub all: Duration,
    /// From the arrival of udev's event.
    pub own: Duration,
}

impl Stick {
    /// A formatted stick, not yet plugged in.
    pub fn new() -> Result<Stick> {
        let directory = tempfile::tempdir()?;
        let image = directory.path().join("stick.img");
        File::create_new(&image)?.set_len(SIZE)?;
        let mkfs = Tool::new("mkfs.ext4").args(["-q", "-F", "-L", "stick"]);
        mkfs.arg(&image).run(&Cancel::default())?;
        Ok(Stick {
            image,
            _directory: directory,
        })
    }

    /// Plugs it in, waits until the daemon shows it, pulls it, and waits until that is over.
    pub async fn plug(
        &self,
        subject: &Subject,
        manager: &ObjectManagerProxy<'_>,
        udev: &mut Udev,
    ) -> Result<Plugged> {
        udev.settle()?;
        let mut added = manager.receive_interfaces_added().await?;
        let mut removed = manager.receive_interfaces_removed().await?;
        let image = File::options().read(true).write(true).open(&self.image)?;
        let begin = Instant::now();
        let device = Loop::attach(image.as_fd(), LoopOptions::default())?;
        let node = fs::canonicalize(device.node())?;
        let what = format!("{} to show {}", subject.title, node.display());
        let path = within(&what, until_shown(&mut added, &node)).await??;
        let shown = Instant::now();
        let told = udev.told_of(&node).await?;
        drop(device);
        let gone = async {
            while let Some(signal) = removed.next().await {
                if signal.args().is_ok_and(|args| *args.object_path() == *path) {
                    return;
                }
            }
        };
        let what = format!("{} to forget {}", subject.title, node.display());
        within(&what, gone).await?;
        Ok(Plugged {
            all: shown - begin,
            own: shown.saturating_duration_since(told),
        })
    }
}

async fn until_shown(added: &mut InterfacesAddedStream, node: &Path) -> Result<OwnedObjectPath> {
    loop {
        let signal = added.next().await.ok_or("the bus is gone")?;
        if shows(&signal, node)? {
            return Ok(signal.args()?.object_path().to_owned().into());
        }
    }
}

/// wendyd says the node in a property, udisksd in the path.
fn shows(signal: &InterfacesAdded, node: &Path) -> Result<bool> {
    let args = signal.args()?;
    let file = node.file_name().unwrap_or_default().to_string_lossy();
    let in_path = args.object_path().as_str().ends_with(&format!("/{file}"));
    let mut values = args
        .interfaces_and_properties()
        .values()
        .flat_map(|values| values.get("DeviceNode"));
    let in_values = values.any(|value| {
        value
            .downcast_ref::<&str>()
            .is_ok_and(|text| Path::new(text) == node)
    });
    Ok(in_path || in_values)
}
