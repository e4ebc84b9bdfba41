//! A stick that dies: whoever reads it waits, and cannot even be killed.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "common/served.rs"]
mod served;
#[path = "../src/testing/udev.rs"]
mod udev;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use common::{Medium, eventually, ext4_image, run, sized};
use fuser::Errno;
use served::{Content, Served, serve};
use tempfile::TempDir;
use udev::ensure_udev;
use wendy_sys::{
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::LoopOptions,
    tool::Tool,
};
use wendyd::{
    devices::{Monitor, Running},
    model::{DeviceId, Hub, Problem, Store, World},
    probe::Prober,
    stores::discover::{Adoption, Discovery},
};

const START: u64 = 1 << 20;
const NAME: &str = "image";

/// One file, which answers until it dies.
struct Stick {
    image: File,
    life: Arc<Life>,
}

#[derive(Default)]
struct Life {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl Life {
    fn set_over(&self, is_over: bool) {
        *self.is_over.lock().unwrap() = is_over;
        self.changed.notify_all();
    }
}

/// Nobody waits any longer when the test is over.
struct Revived(Arc<Life>);

impl Drop for Revived {
    fn drop(&mut self) {
        self.0.set_over(false);
    }
}

impl Content for Stick {
    fn size(&self) -> u64 {
        self.image.metadata().unwrap().len()
    }

    fn read(&self, offset: u64, size: u64) -> Result<Vec<u8>, Errno> {
        let is_over = self.life.is_over.lock().unwrap();
        drop(self.life.changed.wait_while(is_over, |is_over| *is_over));
        let mut bytes = vec![0; usize::try_from(size).unwrap()];
        let read = self.image.read_at(&mut bytes, offset).unwrap();
        bytes.truncate(read);
        Ok(bytes)
    }

    fn write(&self, _offset: u64, _data: &[u8]) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
}

/// An image as prepare makes it: a partition named for live-boot, a filesystem named for casper.
fn prepared_image() -> TempDir {
    let store = ext4_image("writable", |_| {});
    let content = fs::read(store.path().join(NAME)).unwrap();
    let directory = TempDir::new().unwrap();
    let image = sized(&directory, content.len() as u64 + 2 * START);
    let sectors = content.len() / 512;
    let table = format!("label: gpt\nstart=2048, size={sectors}, name=persistence\n");
    run(Tool::new("sfdisk")
        .arg("--quiet")
        .arg(&image)
        .stdin_bytes(table));
    let file = File::options().write(true).open(&image).unwrap();
    file.write_all_at(&content, START).unwrap();
    directory
}

/// The stick, plugged in.
struct Plugged {
    partition: DeviceId,
    _disk: BlockDevice,
    _served: Served,
    _image: TempDir,
}

fn plug(life: &Arc<Life>) -> Plugged {
    let directory = prepared_image();
    let image = File::open(directory.path().join(NAME)).unwrap();
    let size = image.metadata().unwrap().len() - 2 * START;
    let life = life.clone();
    let options = LoopOptions {
        read_only: true,
        partscan: true,
        ..LoopOptions::default()
    };
    let served = serve(Stick { image, life }, options);
    let disk = BlockDevice::open(served.node(), Access::Read).unwrap();
    let extent = PartitionExtent {
        number: 1,
        start: START,
        size,
    };
    disk.tell_partitions(&[extent]).unwrap();
    Plugged {
        partition: DeviceId::partition(disk.identity().diskseq, 1),
        _disk: disk,
        _served: served,
        _image: directory,
    }
}

fn store_on(world: &World, id: DeviceId) -> Option<Store> {
    let key = world.devices.get(&id)?.store?;
    world.stores.get(&key).cloned()
}

#[test]
fn a_stick_that_never_answers_holds_up_nobody() {
    ensure_udev();
    let (hub, life) = (Hub::new(), Arc::new(Life::default()));
    let dying = plug(&life);
    let revived = Revived(life.clone());
    let (devices, monitor) = Monitor::start(hub.clone(), Running::default()).unwrap();
    let is_seen = |world: &World| {
        let device = world.devices.get(&dying.partition)?;
        (device.label == "writable").then_some(())
    };
    eventually(&hub, "partition", is_seen);
    life.set_over(true);
    let prober = Prober::new(PathBuf::from(env!("CARGO_BIN_EXE_wendy-probe")));
    let begin = Instant::now();
    Discovery::start(hub.clone(), devices, prober, Adoption::Off).unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
    let healthy = Medium::ext4("casper-rw", |_| {});
    eventually(&hub, "healthy medium", |world| {
        store_on(world, healthy.id())
    });
    assert_eq!(store_on(&hub.snapshot(), dying.partition), None);
    let store = eventually(&hub, "dying medium", |world| {
        store_on(world, dying.partition)
    });
    assert_eq!(
        (store.problem, store.writable),
        (Some(Problem::Unreadable), false)
    );
    drop(monitor);
    drop(revived);
}
