//! Scenes: a machine put to sleep with what is plugged in, and woken as often as needed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::image::LiveImage;
use super::machine::{Begin, Vm};
use super::stick::{Plug, Stick, copy_sparsely};

/// How long the emulator may take to write a memory image or to read one back.
const PATIENCE: Duration = Duration::from_secs(600);

/// The files of a sleeping machine.
const MEMORY: &str = "memory";
const STICK: &str = "stick.img";

/// A machine with the image's medium in its drive and one stick plugged in, at an instant of its
/// life. Its files live as long as this value.
#[derive(Debug)]
pub struct Scene {
    image: LiveImage,
    serial: String,
    files: TempDir,
}

impl Scene {
    /// Puts the machine to sleep.
    pub fn of(vm: Vm, image: &LiveImage, stick: &Stick) -> Result<Scene> {
        let files = tempfile::tempdir()?;
        put_to_sleep(vm, Some(stick), files.path())?;
        Ok(Scene {
            image: image.clone(),
            serial: stick.serial().to_owned(),
            files,
        })
    }

    /// Both as they were, again and again.
    pub fn wake(&self, plug: Plug) -> Result<(Vm, Stick)> {
        let stick = stick_in(self.files.path(), &self.serial)?;
        let sleeping = begin(&self.image, true)?;
        let vm = wake(sleeping, self.files.path(), Some((&stick, plug)))?;
        Ok((vm, stick))
    }
}

/// Writes the machine's memory and its stick to a directory and ends it.
pub(super) fn put_to_sleep(mut vm: Vm, stick: Option<&Stick>, dir: &Path) -> Result<()> {
    // What the boot left in the page cache is worth more than the space it takes, what is dirty or
    // half done is not.
    vm.run("systemctl is-system-running --wait; udevadm settle; sync")?;
    let file = dir.join(MEMORY);
    let qmp = vm.qmp();
    qmp.execute("stop", json!({}))?;
    qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": 0 }))?;
    qmp.execute(
        "migrate",
        json!({ "uri": format!("exec:cat > '{}'", file.display()) }),
    )?;
    let status = qmp.poll(PATIENCE, "query-migrate", |answer| {
        matches!(
            answer["status"].as_str(),
            Some("completed" | "failed" | "cancelled")
        )
    })?;
    ensure!(
        status["status"] == "completed",
        "putting the machine to sleep: {status}"
    );
    drop(vm);
    stick.map_or(Ok(()), |stick| {
        copy_sparsely(&stick.file(), &dir.join(STICK))
    })
}

/// A machine without a memory yet, its medium in its drive or not.
pub(super) fn begin(image: &LiveImage, medium: bool) -> Result<Vm> {
    Vm::begin(image, medium, Begin::Asleep)
}

/// Gives a machine the memory in a directory and lets it go on. What was plugged in must be again.
pub(super) fn wake(mut vm: Vm, dir: &Path, stick: Option<(&Stick, Plug)>) -> Result<Vm> {
    if let Some((stick, plug)) = stick {
        vm.connect(stick, plug)?;
    }
    let file = dir.join(MEMORY);
    vm.qmp().execute(
        "migrate-incoming",
        json!({ "uri": format!("exec:cat '{}'", file.display()) }),
    )?;
    let status = vm.qmp().poll(PATIENCE, "query-status", |answer| {
        answer["status"] != "inmigrate"
    })?;
    if status["status"] != "paused" {
        bail!("{} does not wake up: {status}", file.display());
    }
    vm.go_on()?;
    Ok(vm)
}

/// A copy of the stick in a directory, to be plugged into a machine that wakes.
pub(super) fn stick_in(dir: &Path, serial: &str) -> Result<Stick> {
    let file = dir.join(STICK);
    Stick::written(serial, file.metadata()?.len(), &file)
}
