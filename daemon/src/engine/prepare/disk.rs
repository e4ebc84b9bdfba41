//! Stores in partitions: of a disk made anew, that exist, or that are added.

use wendy_sys::{
    block::{Access, BlockDevice, PartitionExtent},
    loopdev::{Loop, LoopOptions},
    step,
};

use super::{
    Work, format,
    found::Part,
    inspect::read_table,
    partitioning,
    wipe::{ends_of_place, wipe},
};
use crate::{
    error::{During, Error, Result},
    jobs::Phase,
    stores::detour,
};

/// Makes the disk anew, with one partition.
pub(super) fn whole_device(work: &Work<'_>, disk: BlockDevice) -> Result<BlockDevice> {
    let signatures = disk
        .signature_places()
        .during("looking for what is to be wiped")?;
    wipe(
        work,
        &disk,
        &[&signatures[..], &ends_of_place(work)].concat(),
    )?;
    work.watch.phase(Phase::Partitioning);
    let written = partitioning::write_new(work, &disk);
    let disk = disk
        .share(Access::Write)
        .during("giving up the disk as a whole")?;
    let made = written
        .and_then(|()| announce(work, &disk, &[]))
        .and_then(|partition| in_partition(work, &partition, format::make_store));
    if made.is_err() {
        // The first error is the one to report; the disk is blank or has an empty partition.
        let _ = disk.tell_partitions(&[]);
        let _ = disk.wipe_signatures();
    }
    made
}

/// Makes the filesystem of a partition anew, and names it in a GPT.
pub(super) fn partition(
    work: &Work<'_>,
    held: BlockDevice,
    disk: &BlockDevice,
) -> Result<BlockDevice> {
    let signatures = held
        .signature_places()
        .during("looking for what is to be wiped")?;
    wipe(work, &held, &signatures)?;
    if !work.plan.place.partition_name.is_empty() {
        partitioning::name(work, disk)?;
    }
    let held = held.share(Access::Write).during("opening the partition")?;
    in_partition(work, &held, format::make_store)
}

/// Adds a partition in the room behind the others. It is listed when the store in it is complete:
/// interrupted before, the disk is what it was.
///
/// The disk may be in use, as the one is that the system was started from: then the kernel would
/// not read its table again, but takes one more partition when it is told.
pub(super) fn free_space(work: &Work<'_>, disk: BlockDevice) -> Result<BlockDevice> {
    wipe(work, &disk, &ends_of_place(work))?;
    in_place(work, &disk, format::make_unlisted)?;
    let kept = disk.partitions().during("listing the partitions")?;
    let appended = partitioning::append(work, &disk);
    let disk = disk
        .share(Access::Write)
        .during("giving up the disk as a whole")?;
    let made = appended
        .and_then(|()| check_kept(work, &disk))
        .and_then(|()| announce(work, &disk, &kept))
        .and_then(|partition| keep_open(&partition));
    if made.is_err() {
        let _ = disk.tell_partitions(&kept);
        let _ = partitioning::remove(work, &disk);
        let _ = in_place(work, &disk, |_, store| {
            store.wipe_signatures().during("wiping the store")
        });
    }
    made
}

/// Does something with the place of the partition, of which nobody knows.
fn in_place(
    work: &Work<'_>,
    disk: &BlockDevice,
    act: impl FnOnce(&Work<'_>, &BlockDevice) -> Result<()>,
) -> Result<()> {
    let what = "opening the free space";
    let options = LoopOptions {
        offset: work.plan.place.start,
        size_limit: work.plan.place.size,
        locked: true,
        ..LoopOptions::default()
    };
    // Not our own descriptor: the loop device would keep its claim on the disk until the last one
    // who looks at the loop device is gone.
    let shared = BlockDevice::open(&disk.proc_path(), Access::Write).during(what)?;
    let place = Loop::attach(shared.fd(), options).during(what)?;
    let device = BlockDevice::open(place.node(), Access::Write).during(what)?;
    act(work, &device)
}

/// Whether every partition that was there is listed as before.
fn check_kept(work: &Work<'_>, disk: &BlockDevice) -> Result<()> {
    let Part::Disk {
        table: Some(old), ..
    } = &work.found.part
    else {
        return Ok(());
    };
    let new = read_table(disk, work.watch.cancel())?;
    if old.entries.iter().all(|entry| new.entries.contains(entry)) {
        Ok(())
    } else {
        Err(Error::Corrupt {
            what: format!("the partition table of {}", work.plan.device),
            why: "adding an entry changed another one; it is taken back".to_owned(),
        })
    }
}

/// Lets the kernel know the new partition beside those that stay.
///
/// The disk is no longer held as a whole, because the kernel would let nobody use its partitions.
/// Still nobody takes the new one: udev, from which others hear of it, waits for the lock.
fn announce(work: &Work<'_>, disk: &BlockDevice, kept: &[PartitionExtent]) -> Result<BlockDevice> {
    step("prepare.tell").during("announcing the partition")?;
    let number = partitioning::number(work, disk)?;
    let place = work.plan.place;
    let new = PartitionExtent {
        number,
        start: place.start,
        size: place.size,
    };
    let wanted: Vec<_> = kept.iter().copied().chain([new]).collect();
    disk.tell_partitions(&wanted)
        .during("announcing the partition")?;
    let node = disk
        .partition_node(number)
        .during("opening the partition")?;
    let partition = BlockDevice::open(&node, Access::Write).during("opening the partition")?;
    if partition.identity().diskseq != disk.identity().diskseq
        || partition.identity().size != place.size
    {
        return Err(Error::Changed(work.plan.device.clone()));
    }
    Ok(partition)
}

/// Calls `make` with the partition, and keeps that open afterwards.
fn in_partition(
    work: &Work<'_>,
    partition: &BlockDevice,
    make: fn(&Work<'_>, &BlockDevice) -> Result<()>,
) -> Result<BlockDevice> {
    match detour::around(partition, false).during("opening the partition")? {
        None => make(work, partition)?,
        Some(detour) => {
            let device = BlockDevice::open(detour.attached.node(), Access::Write);
            make(work, &device.during("opening the partition")?)?;
        }
    }
    keep_open(partition)
}

/// As long as it is open, nobody who reads the partition table again takes it away for a moment.
fn keep_open(partition: &BlockDevice) -> Result<BlockDevice> {
    BlockDevice::open(&partition.proc_path(), Access::Read).during("opening the partition")
}
