//! Memory images: a machine put to sleep once and woken for every test, of this run and the next.
//!
//! They are kept in the cache, each in a directory whose name is made of all that shaped it, so that
//! a changed image, emulator or package makes a new one.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::image::LiveImage;
use super::machine::{EMULATOR, HARDWARE, UNATTENDED, Vm, program};
use super::scene::{begin, put_to_sleep, stick_in, wake};
use super::stick::{Plug, Stick};

/// Memory images that nobody has asked for in this time are removed.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// The stick with the live system on it, and its size.
const LIVE_STICK: &str = "LIVE";
const LIVE_STICK_SIZE: u64 = 2 << 30;

impl Vm {
    /// The image as it is right after its boot, nothing done yet and nothing plugged in.
    pub fn wake(image: &LiveImage) -> Result<Vm> {
        let memory = after_boot(image)?;
        wake(begin(image, true)?, &memory, None)
    }

    /// The same after somebody has installed these packages on it.
    pub fn wake_with(image: &LiveImage, packages: &[PathBuf]) -> Result<Vm> {
        let memory = with_packages(image, packages)?;
        wake(begin(image, true)?, &memory, None)
    }

    /// The same on a machine that was booted from a stick with nothing but the image on it, instead
    /// of from a disc.
    pub fn wake_from_stick(image: &LiveImage, packages: &[PathBuf]) -> Result<(Vm, Stick)> {
        let memory = from_stick(image, packages)?;
        let stick = stick_in(&memory, LIVE_STICK)?;
        let vm = wake(begin(image, false)?, &memory, Some((&stick, Plug::Fast)))?;
        Ok((vm, stick))
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
    kept(image, "booted", &[], |dir| {
        put_to_sleep(Vm::boot(image, "", &[])?, None, dir)
    })
}

fn with_packages(image: &LiveImage, packages: &[PathBuf]) -> Result<PathBuf> {
    kept(image, "installed", packages, |dir| {
        let mut vm = Vm::wake(image)?;
        vm.install(packages)?;
        put_to_sleep(vm, None, dir)
    })
}

fn after_boot_from_stick(image: &LiveImage) -> Result<PathBuf> {
    kept(image, "stick", &[], |dir| {
        let stick = Stick::written(LIVE_STICK, LIVE_STICK_SIZE, &image.file("medium.iso"))?;
        let vm = Vm::boot_from(&stick, image, "")?;
        put_to_sleep(vm, Some(&stick), dir)
    })
}

fn from_stick(image: &LiveImage, packages: &[PathBuf]) -> Result<PathBuf> {
    kept(image, "stick-installed", packages, |dir| {
        let memory = after_boot_from_stick(image)?;
        let stick = stick_in(&memory, LIVE_STICK)?;
        let mut vm = wake(begin(image, false)?, &memory, Some((&stick, Plug::Fast)))?;
        vm.install(packages)?;
        put_to_sleep(vm, Some(&stick), dir)
    })
}

/// The directory of the memory image of that kind; `make` is asked to fill it if there is none.
fn kept(
    image: &LiveImage,
    kind: &str,
    inputs: &[PathBuf],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = image.memory_dir();
    fs::create_dir_all(&dir)?;
    let lock = File::create(dir.join(format!("{kind}.lock")))?;
    lock.lock()?;
    let memory = dir.join(format!("{kind}-{:016x}", fingerprint(inputs)?));
    if !memory.exists() {
        remove_unused(&dir)?;
        let unfinished = tempfile::tempdir_in(&dir)?;
        make(unfinished.path())?;
        fs::rename(unfinished.keep(), &memory)?;
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
    (version.stdout, HARDWARE, UNATTENDED).hash(&mut hasher);
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
        let about = entry.metadata()?;
        let unused = about.modified()?.elapsed().is_ok_and(|age| age > KEPT);
        if unused && about.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
