//! Changes to the partition table of a disk, made by sfdisk.

use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
    step,
    tool::Tool,
};

use super::{
    Work,
    found::{Found, Part},
    gpt,
    inspect::read_table,
    table::TableKind,
};
use crate::error::{During, Error, Result};

/// We hold the lock, and tell the kernel ourselves.
const QUIETLY: [&str; 4] = ["--quiet", "--lock=no", "--no-reread", "--no-tell-kernel"];

/// Writes a table with nothing but the partition of the plan.
pub(super) fn write_new(work: &Work<'_>, disk: &BlockDevice) -> Result<()> {
    let edit = Edit {
        what: WRITING,
        options: &["--wipe=never"],
        operands: &[],
        script: &format!("label: gpt\n{}", new_partition(work, "linux")),
    };
    step("prepare.table").during(WRITING)?;
    edit.make(disk, work.watch.cancel())
}

/// Adds the partition of the plan to those that are there.
pub(super) fn append(work: &Work<'_>, disk: &BlockDevice) -> Result<()> {
    let kind = if has_gpt(work.found) { "linux" } else { "83" };
    let edit = Edit {
        what: WRITING,
        options: &["--append", "--wipe=never"],
        operands: &[],
        script: &new_partition(work, kind),
    };
    step("prepare.table").during(WRITING)?;
    edit.make_beside_others(work, disk, work.watch.cancel())
}

/// Takes that partition away again, also when the job was cancelled.
pub(super) fn remove(work: &Work<'_>, disk: &BlockDevice) -> Result<()> {
    let edit = Edit {
        what: "removing the partition",
        options: &["--delete"],
        operands: &[&number(work, disk)?.to_string()],
        script: "",
    };
    edit.make_beside_others(work, disk, &Cancel::new())
}

/// Names the partition that becomes the store.
pub(super) fn name(work: &Work<'_>, disk: &BlockDevice) -> Result<()> {
    let Part::Partition { number, .. } = work.found.part else {
        return Ok(());
    };
    let edit = Edit {
        what: "naming the partition",
        options: &["--part-label"],
        operands: &[&number.to_string(), work.plan.place.partition_name],
        script: "",
    };
    let writable = BlockDevice::open(&disk.proc_path(), Access::Write).during(edit.what)?;
    writable.verify(&disk.identity()).during(edit.what)?;
    edit.make_beside_others(work, &writable, work.watch.cancel())
}

/// Number of the partition of the plan in the table as it is now.
pub(super) fn number(work: &Work<'_>, disk: &BlockDevice) -> Result<u32> {
    let table = read_table(disk, &Cancel::new())?;
    let place = work.plan.place;
    let entry = table
        .entries
        .iter()
        .find(|entry| (entry.start, entry.size) == (place.start, place.size));
    entry
        .map(|entry| entry.number)
        .ok_or_else(|| Error::Changed(work.plan.device.clone()))
}

const WRITING: &str = "writing the partition table";

/// One run of sfdisk.
struct Edit<'a> {
    what: &'a str,
    options: &'a [&'a str],
    /// What comes behind the disk.
    operands: &'a [&'a str],
    /// What it reads (sfdisk(8), "Input formats").
    script: &'a str,
}

impl Edit<'_> {
    fn make_beside_others(
        &self,
        work: &Work<'_>,
        disk: &BlockDevice,
        cancel: &Cancel,
    ) -> Result<()> {
        if has_gpt(work.found) {
            gpt::edit(disk, |copy| self.make(copy, cancel))
        } else {
            self.make(disk, cancel)
        }
    }

    fn make(&self, disk: &BlockDevice, cancel: &Cancel) -> Result<()> {
        Tool::new("sfdisk")
            .args(QUIETLY)
            .args(self.options)
            .arg("--")
            .arg(disk.proc_path())
            .args(self.operands)
            .stdin_bytes(self.script)
            .pass_fd(disk.fd())
            .run(cancel)
            .during(self.what)?;
        disk.fsync().during(self.what)
    }
}

fn has_gpt(found: &Found) -> bool {
    let kind = match &found.part {
        Part::Disk { table, .. } => table.as_ref().map(|table| &table.kind),
        Part::Partition { table, .. } => Some(table),
    };
    kind == Some(&TableKind::Gpt)
}

/// One line of an sfdisk script, which counts in sectors.
fn new_partition(work: &Work<'_>, kind: &str) -> String {
    let place = work.plan.place;
    let (start, size) = (
        place.start / work.found.sector,
        place.size / work.found.sector,
    );
    let name = match place.partition_name {
        "" => String::new(),
        name => format!(", name=\"{name}\""),
    };
    format!("start={start}, size={size}, type={kind}{name}\n")
}
