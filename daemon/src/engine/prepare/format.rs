//! Making the filesystem of a store and what every store has in it.

use std::os::fd::AsFd;

use wendy_store::{StoreRecord, layout};
use wendy_sys::{
    block::BlockDevice,
    dir,
    mount::{self, DetachedMount, MountFlags},
    step,
    tool::Tool,
};

use super::{Work, writing};
use crate::{
    clock,
    error::{During, Result},
    jobs::Phase,
    patience::{FOR_DEVICE, patiently},
    stores::{self, records},
};

/// The features of the filesystem, all of them named: a stick must be readable wherever it is
/// carried to, whatever the distribution that made it has as defaults. `ea_inode` lets a file have
/// the 64 KiB of extended attributes that a file in memory can have (Linux 4.13, e2fsprogs 1.44).
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,\
    metadata_csum,sparse_super,large_file,huge_file,dir_nlink,extra_isize,ea_inode";

/// A system that runs from the store goes on, but writes nothing more into what is damaged.
const ON_ERROR: &str = "remount-ro";

/// Puts a store on `device`, which nobody else uses. On failure nothing recognisable is left.
pub(super) fn make_store(work: &Work<'_>, device: &BlockDevice) -> Result<()> {
    or_wipe(work, device, || {
        let mounted = lay_out(work, device)?;
        begin_to_commit(work)?;
        mark(work, mounted, device)
    })
}

/// Puts a store on `device`, where nobody finds it until that is listed, which is the next thing to
/// do. On failure nothing recognisable is left.
pub(super) fn make_unlisted(work: &Work<'_>, device: &BlockDevice) -> Result<()> {
    or_wipe(work, device, || {
        mark(work, lay_out(work, device)?, device)?;
        begin_to_commit(work)
    })
}

fn or_wipe(work: &Work<'_>, device: &BlockDevice, make: impl FnOnce() -> Result<()>) -> Result<()> {
    make().inspect_err(|_| {
        // The first error is the one to report; without a marker it is no store anyway.
        work.watch.phase(Phase::RollingBack);
        let _ = device.wipe_signatures();
    })
}

fn lay_out(work: &Work<'_>, device: &BlockDevice) -> Result<DetachedMount> {
    make_filesystem(work, device)?;
    step("prepare.mount").during("mounting the new filesystem")?;
    let mounted = mount(device)?;
    write_skeleton(&mounted)?;
    if !work.plan.place.label.is_empty() {
        step("prepare.label").during("labelling the filesystem")?;
        mount::set_label(&mounted, work.plan.place.label).during("labelling the filesystem")?;
    }
    Ok(mounted)
}

fn mount(device: &BlockDevice) -> Result<DetachedMount> {
    patiently(FOR_DEVICE, || {
        mount::of_device("ext4", device, &[], MountFlags::STORE)
    })
    .during("mounting the new filesystem")
}

fn begin_to_commit(work: &Work<'_>) -> Result<()> {
    work.watch.phase(Phase::Committing);
    work.watch.point_of_no_return()
}

/// Writes the marker, and waits until all is on the medium.
fn mark(work: &Work<'_>, mounted: DetachedMount, device: &BlockDevice) -> Result<()> {
    step("prepare.marker").during("writing the marker")?;
    write_marker(&mounted, &work.record(None))?;
    drop(mounted);
    step("prepare.flush").during("flushing the device")?;
    device.fsync().during("flushing the device")
}

fn make_filesystem(work: &Work<'_>, device: &BlockDevice) -> Result<()> {
    step("prepare.mkfs").during("making the filesystem")?;
    work.watch.phase(Phase::Formatting);
    let tool = || {
        Tool::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0", "-e", ON_ERROR, "-O", FEATURES])
            .args([
                "-E",
                "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
                "-U",
                "random",
                "--",
            ])
            .arg(device.proc_path())
            .pass_fd(device.fd())
    };
    let expected = (
        device.identity().devnum,
        written_by_mkfs(work.plan.place.size),
    );
    let run = || patiently(FOR_DEVICE, || tool().run(work.watch.cancel()));
    writing::watched(work.watch, expected, run).during("making the filesystem")?;
    Ok(())
}

/// About how many bytes mkfs writes for a filesystem of `size` bytes with the options above: room
/// in the descriptor tables to grow into, and a little for each group of blocks.
fn written_by_mkfs(size: u64) -> u64 {
    let (group, most_room_to_grow) = (128 << 20, 4 << 20);
    (256 << 10) + most_room_to_grow.min(size / 2048) + size / group * 1400
}

/// Everything but the marker. The links in the root are there before anything else, because stock
/// casper would move what it finds beside them.
fn write_skeleton(root: &DetachedMount) -> Result<()> {
    let what = "laying out the store";
    step("prepare.skeleton").during(what)?;
    let casper = dir::make_dir(root, layout::ROOT, 0o755).during(what)?;
    for name in [layout::UPPER, layout::WORK] {
        dir::make_dir(root, format!("{}/{name}", layout::BLANK), 0o755).during(what)?;
    }
    dir::symlink_atomic(casper.as_fd(), "default", layout::NO_DEFAULT).during(what)?;
    stores::links::write_root_links(root.as_fd())?;
    for path in [layout::SESSIONS, layout::SNAPSHOTS] {
        dir::make_dir(root, path, 0o755).during(what)?;
    }
    mount::syncfs(root).during(what)
}

/// Writes the record that makes a store of the filesystem, and waits until it is on the medium.
pub(super) fn write_marker(root: &DetachedMount, record: &StoreRecord) -> Result<()> {
    let what = "writing the marker";
    let casper = dir::make_dir(root, layout::ROOT, 0o755).during(what)?;
    records::write_store(casper.as_fd(), record)?;
    mount::syncfs(root).during(what)
}

impl Work<'_> {
    /// The record of the store; `image` names the file that holds it, in the marker beside it.
    pub(super) fn record(&self, image: Option<&str>) -> StoreRecord {
        let mut record = StoreRecord::new(self.store, self.plan.name.clone(), clock::now());
        record.image = image.map(str::to_owned);
        record
    }
}
