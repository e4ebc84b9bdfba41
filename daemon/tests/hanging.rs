//! A stick that dies: whoever reads it waits, and cannot even be killed.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that fails says so"
)]

mod common;

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use common::{
    Image, MIB, Stick, ensure_udev, eventually_in, script,
    served::{Content, Served, serve},
    write_at,
};
use fuser::Errno;
use wendy_sys::{
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::LoopOptions,
};
use wendyd::{
    devices::{Monitor, Running},
    model::{DeviceId, Hub, Problem, Store, World},
    probe::Prober,
    stores::discover::{Adoption, Discovery},
};

const START: u64 = MIB;

/// One file, which answers until it dies.
struct Dying {
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

impl Content for Dying {
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
fn prepared_image() -> Image {
    let content = fs::read(Image::ext4("writable", |_| {}).path()).unwrap();
    let image = Image::sized(content.len() as u64 + 2 * START);
    let sectors = content.len() / 512;
    let table = format!("label: gpt\nstart=2048, size={sectors}, name=persistence\n");
    let node = image.path().to_str().unwrap();
    script("sfdisk", &["--quiet", node], &table);
    write_at(image.path(), START, &content);
    image
}

/// The stick, plugged in.
struct Plugged {
    partition: DeviceId,
    _disk: BlockDevice,
    _served: Served,
    _image: Image,
}

fn plug(life: &Arc<Life>) -> Plugged {
    let file = prepared_image();
    let image = File::open(file.path()).unwrap();
    let size = image.metadata().unwrap().len() - 2 * START;
    let life = life.clone();
    let options = LoopOptions {
        read_only: true,
        partscan: true,
        ..LoopOptions::default()
    };
    let served = serve(Dying { image, life }, options);
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
        _image: file,
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
    eventually_in(&hub, "partition", is_seen);
    life.set_over(true);
    let prober = Prober::new(PathBuf::from(env!("CARGO_BIN_EXE_wendy-probe")));
    let begin = Instant::now();
    Discovery::start(hub.clone(), devices, prober, Adoption::Off).unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
    let healthy = Stick::ext4("casper-rw", |_| {});
    eventually_in(&hub, "healthy medium", |world| {
        store_on(world, healthy.id())
    });
    assert_eq!(store_on(&hub.snapshot(), dying.partition), None);
    let store = eventually_in(&hub, "dying medium", |world| {
        store_on(world, dying.partition)
    });
    assert_eq!(
        (store.problem, store.writable),
        (Some(Problem::Unreadable), false)
    );
    drop(monitor);
    drop(revived);
}
