use std::{fs, os::unix::fs::FileExt, time::Duration};

use rustix::fs::FlockOperation;

use super::*;
use crate::{
    Errno,
    mount::{self, MountFlags},
    testing::{disk, ext4, image, is_root},
};

const MIB: u64 = 1 << 20;

fn extent(number: u32, start: u64, size: u64) -> PartitionExtent {
    PartitionExtent {
        number,
        start: start * MIB,
        size: size * MIB,
    }
}

/// Where udev runs, it has the kernel read the partition table anew as soon as a disk that was
/// open for writing is closed; on a disk without a table that forgets what we told.
fn keep_udev_off(device: &BlockDevice) -> DiskLock {
    device.lock_whole_disk().unwrap()
}

#[test]
fn only_block_devices_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::from(0o600), 0).unwrap();
    for node in [&fifo, Path::new("/dev/null"), directory.path()] {
        assert!(
            BlockDevice::open(node, Access::Read).is_err(),
            "{}",
            node.display()
        );
    }
    let absent = BlockDevice::open(Path::new("/dev/absent"), Access::Read).unwrap_err();
    assert_eq!(absent.errno(), Some(Errno::NOENT));
}

#[test]
fn another_medium_behind_the_same_node_is_noticed() {
    if !is_root() {
        return;
    }
    let stick = disk(4 * MIB);
    let device = BlockDevice::open(stick.node(), Access::Read).unwrap();
    let inspected = device.identity();
    device.verify(&inspected).unwrap();
    let other = Identity {
        diskseq: inspected.diskseq - 1,
        size: MIB,
        ..inspected
    };
    let error = device.verify(&other).unwrap_err().to_string();
    let expected = format!(
        "disk sequence {} is now {}, size 1048576 is now 4194304 bytes",
        other.diskseq, inspected.diskseq
    );
    assert!(error.contains(&expected), "{error}");
    let next = BlockDevice::open(disk(4 * MIB).node(), Access::Read).unwrap();
    assert_ne!(next.identity().diskseq, inspected.diskseq);
}

#[test]
fn a_claim_keeps_others_out_until_it_is_shared() {
    if !is_root() {
        return;
    }
    let stick = disk(4 * MIB);
    let claim = |access| BlockDevice::open(stick.node(), access).map_err(|error| error.errno());
    for (ours, theirs, shared) in [
        (Access::Exclusive, Access::Claim, Access::Write),
        (Access::Claim, Access::Exclusive, Access::Read),
    ] {
        let claimed = claim(ours).unwrap();
        assert_eq!(claim(theirs).unwrap_err(), Some(Errno::BUSY));
        let shared = claimed.share(shared).unwrap();
        assert_eq!(shared.node(), stick.node());
        claim(theirs).unwrap();
    }
}

#[test]
fn a_mounted_device_cannot_be_claimed() {
    if !is_root() {
        return;
    }
    let stick = ext4();
    let mounted = mount::detached("ext4", Some(stick.node()), &[], MountFlags::STORE).unwrap();
    let claim = BlockDevice::open(stick.node(), Access::Exclusive);
    assert_eq!(claim.unwrap_err().errno(), Some(Errno::BUSY));
    drop(mounted);
}

#[test]
fn the_kernel_learns_partitions_one_by_one() {
    if !is_root() {
        return;
    }
    let stick = disk(16 * MIB);
    let device = BlockDevice::open(stick.node(), Access::Write).unwrap();
    let _lock = keep_udev_off(&device);
    device
        .tell_partitions(&[extent(1, 1, 4), extent(2, 5, 4)])
        .unwrap();
    assert_eq!(
        device.partitions().unwrap(),
        [extent(1, 1, 4), extent(2, 5, 4)]
    );

    let first = BlockDevice::open(&device.partition_node(1).unwrap(), Access::Exclusive).unwrap();
    assert_eq!(first.identity().size, 4 * MIB);
    assert_eq!(first.identity().diskseq, device.identity().diskseq);
    let disk = whole_disk_of(first.identity().devnum).unwrap();
    assert_eq!(disk, device.identity().devnum);
    assert_eq!(whole_disk_of(disk).unwrap(), disk);
    assert_eq!(node_of(disk).unwrap(), stick.node());
    let sequence = disk_sequence(first.identity().devnum).unwrap();
    assert_eq!(sequence, device.identity().diskseq);

    // The first one stays as it is, so it may be in use; the second one moves.
    device
        .tell_partitions(&[extent(1, 1, 4), extent(2, 6, 8), extent(7, 14, 1)])
        .unwrap();
    assert_eq!(
        device.partitions().unwrap(),
        [extent(1, 1, 4), extent(2, 6, 8), extent(7, 14, 1)]
    );
    let busy = partitions::tell(&device, &[], Duration::ZERO).unwrap_err();
    assert_eq!(busy.errno(), Some(Errno::BUSY));
    drop(first);
    device.tell_partitions(&[]).unwrap();
    assert!(device.partitions().unwrap().is_empty() && device.partition_node(1).is_err());
}

#[test]
fn what_is_read_ends_with_the_device() {
    if !is_root() {
        return;
    }
    let stick = disk(512 * 3);
    let device = BlockDevice::open(stick.node(), Access::Read).unwrap();
    assert_eq!(device.read_at(512, 512).unwrap().len(), 512);
    assert_eq!(device.read_at(1024, 4096).unwrap().len(), 512);
    assert!(device.read_at(MIB, 1).unwrap().is_empty());
}

#[test]
fn wiping_takes_every_signature() {
    if !is_root() {
        return;
    }
    let content = image(16 * MIB);
    content.write_all_at(&vec![0xA5; 16 << 20], 0).unwrap();
    let options = crate::loopdev::LoopOptions {
        partscan: true,
        ..Default::default()
    };
    let stick = crate::loopdev::Loop::attach(content.as_fd(), options).unwrap();
    let device = BlockDevice::open(stick.node(), Access::Write).unwrap();
    let _lock = keep_udev_off(&device);
    device.tell_partitions(&[extent(1, 3, 4)]).unwrap();
    device.wipe_signatures().unwrap();
    let wiped: Vec<u64> = (0..16)
        .filter(|mib| {
            let mut bytes = vec![0; 1 << 20];
            content.read_exact_at(&mut bytes, mib * MIB).unwrap();
            bytes.iter().all(|&byte| byte == 0)
        })
        .collect();
    assert_eq!(wiped, [0, 3, 15]);
}

#[test]
fn a_disk_smaller_than_the_margins_is_wiped_whole() {
    if !is_root() {
        return;
    }
    let stick = disk(512 * 3);
    let device = BlockDevice::open(stick.node(), Access::Write).unwrap();
    device.wipe_signatures().unwrap();
    assert!(
        fs::read(stick.node())
            .unwrap()
            .iter()
            .all(|&byte| byte == 0)
    );
}

#[test]
fn a_partition_locks_its_whole_disk() {
    if !is_root() {
        return;
    }
    let stick = disk(16 * MIB);
    let device = BlockDevice::open(stick.node(), Access::Write).unwrap();
    let lock = keep_udev_off(&device);
    device.tell_partitions(&[extent(1, 1, 4)]).unwrap();
    let part = BlockDevice::open(&device.partition_node(1).unwrap(), Access::Read).unwrap();
    drop(lock);
    let lock = part.lock_whole_disk().unwrap();
    assert_eq!(lock.disk().node(), stick.node());
    let shared = || rustix::fs::flock(&device, FlockOperation::NonBlockingLockShared);
    assert_eq!(shared(), Err(Errno::AGAIN));
    drop(lock);
    shared().unwrap();
}
