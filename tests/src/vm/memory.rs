//! Memory images: a machine put to sleep once and woken for every test.
//!
//! They are kept in the cache under a name made of all that shaped them, so that a changed image,
//! emulator or package makes a new one.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::image::LiveImage;
use super::machine::{Begin, EMULATOR, HARDWARE, Vm, program};
use super::stick::{Plug, Stick};

/// Memory images that nobody has asked for in this time are removed.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long the emulator may take to write one or to read one back.
const PATIENCE: Duration = Duration::from_secs(120);

impl Vm {
    /// The image as it is right after its boot, nothing done yet and nothing plugged in.
    pub fn wake(image: &LiveImage) -> Result<Vm> {
        wake(image, &after_boot(image)?)
    }

    /// The same after somebody has installed these packages on it.
    pub fn wake_with(image: &LiveImage, packages: &[PathBuf]) -> Result<Vm> {
        wake(image, &with_packages(image, packages)?)
    }

    /// Installs packages that come on a stick of their own, as without a network.
    fn install(&mut self, packages: &[PathBuf]) -> Result<()> {
        let carrier = Stick::carrying("CARRIER", packages)?;
        self.plug(&carrier, Plug::Fast)?;
        self.run(&format!(
            "mount -o ro {} /mnt && dpkg -i /mnt/*.deb",
            carrier.node()
        ))?;
        self.run("umount /mnt")?;
        self.pull(&carrier)
    }
}

fn after_boot(image: &LiveImage) -> Result<PathBuf> {
    kept(image, "booted", &[], || Vm::boot(image, "", &[]))
}

fn with_packages(image: &LiveImage, packages: &[PathBuf]) -> Result<PathBuf> {
    kept(image, "installed", packages, || {
        let mut vm = Vm::wake(image)?;
        vm.install(packages)?;
        Ok(vm)
    })
}

/// The memory image of that kind; `make` is asked for the machine to put to sleep if there is none.
fn kept(
    image: &LiveImage,
    kind: &str,
    inputs: &[PathBuf],
    make: impl FnOnce() -> Result<Vm>,
) -> Result<PathBuf> {
    let dir = image.memory_dir();
    fs::create_dir_all(&dir)?;
    let lock = File::create(dir.join(format!("{kind}.lock")))?;
    lock.lock()?;
    let memory = dir.join(format!("{kind}-{:016x}", fingerprint(inputs)?));
    if !memory.exists() {
        remove_unused(&dir)?;
        let unfinished = memory.with_extension("new");
        sleep(make()?, &unfinished)?;
        fs::rename(&unfinished, &memory)?;
    }
    File::open(&memory)?.set_modified(SystemTime::now())?;
    Ok(memory)
}

fn fingerprint(inputs: &[PathBuf]) -> Result<u64> {
    let version = program(EMULATOR)
        .arg("--version")
        .output()
        .context(EMULATOR)?;
    let mut hasher = DefaultHasher::new();
    (version.stdout, HARDWARE).hash(&mut hasher);
    for input in inputs {
        fs::read(input)
            .with_context(|| input.display().to_string())?
            .hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn remove_unused(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let unused = entry
            .metadata()?
            .modified()?
            .elapsed()
            .is_ok_and(|age| age > KEPT);
        if unused {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes the machine's memory to a file and ends it.
fn sleep(mut vm: Vm, file: &Path) -> Result<()> {
    // What the boot left in the page cache is worth more than the space it takes, what is dirty or
    // half done is not.
    vm.run("systemctl is-system-running --wait; udevadm settle; sync")?;
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
    Ok(())
}

fn wake(image: &LiveImage, memory: &Path) -> Result<Vm> {
    let mut vm = Vm::begin(image, Begin::Memory(memory))?;
    let status = vm.qmp().poll(PATIENCE, "query-status", |answer| {
        answer["status"] != "inmigrate"
    })?;
    if status["status"] != "paused" {
        bail!("{} does not wake up: {status}", memory.display());
    }
    vm.go_on()?;
    Ok(vm)
}
