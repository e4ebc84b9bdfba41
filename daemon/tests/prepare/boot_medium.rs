//! The stick the system was started from: in use, and all of it stays but the free space.

use std::{fs, ops::Range, path::Path};

use wendy_sys::{
    Errno,
    block::{Access, BlockDevice, PartitionExtent},
    mount::{self, MountFlags},
};
use wendyd::{
    engine::{
        Error, Result,
        prepare::{Mode, Target},
    },
    patience::{FOR_DEVICE, patiently},
    stores::{OpenStore, Saved},
};

use crate::{SIZE, common::*, images::write_dos_table};

#[test]
fn the_rest_of_a_live_stick_becomes_a_store() {
    if !is_root() {
        return;
    }
    for shape in SHAPES {
        let (stick, length) = live_stick(SIZE, shape);
        let (before, old) = (read_at(stick.image(), 0, length), stick.table());
        let medium = stick.started_from(1);
        let held = BlockDevice::open(medium.node(), Access::Exclusive).unwrap();
        prepare_as(&boot_medium(&stick), Mode::FreeSpace).unwrap();
        check_kept(&stick, &before, &old);
        let new = stick.table().last().copied().unwrap();
        assert!(new.start >= length as u64, "{shape:?}");
        save_into(&stick.known_partition(new.number));
        drop((held, medium));

        let stick = stick.replugged();
        assert_eq!(stick.table().last(), Some(&new));
        let store = stick.partition(new.number).store();
        assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    }
}

#[test]
fn it_does_so_too_where_the_stick_is_mounted() {
    if !is_root() {
        return;
    }
    for whole in [false, true] {
        let stick = Stick::made(SIZE, filesystem_over_all);
        let medium = stick.started_from(1);
        let node = if whole { stick.node() } else { medium.node() };
        // Not written to, as no live image is.
        let mounted = Mounted::with(node, "ext4", MountFlags::UNTRUSTED);
        assert!(matches!(
            plan(&stick.target(), Mode::FreeSpace),
            Err(Error::InUse { .. })
        ));
        prepare_as(&boot_medium(&stick), Mode::FreeSpace).unwrap();
        save_into(&stick.known_partition(2));
        assert_eq!(
            fs::read(mounted.path().join("kernel")).unwrap(),
            b"the kernel"
        );
        drop((mounted, medium));
        let stick = stick.replugged();
        let store = stick.partition(2).store();
        assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    }
}

#[test]
fn a_store_beside_it_is_nobody_elses_even_when_the_stick_is_unmounted() {
    if !is_root() {
        return;
    }
    let stick = Stick::made(SIZE, filesystem_over_all);
    let _medium = stick.started_from(1);
    let place = in_memory();
    let mount = |node: &Path| mount::detached("ext4", Some(node), &[], MountFlags::UNTRUSTED);
    let mounted = patiently(FOR_DEVICE, || mount(stick.node())).unwrap();
    mount::attach(&mounted, open_dir(place.path())).unwrap();
    drop(mounted);
    prepare_as(&boot_medium(&stick), Mode::FreeSpace).unwrap();
    let partition = stick.known_partition(2);
    let store = partition.store();
    mount::detach(place.path(), true).unwrap();
    let refused = mount(partition.node()).unwrap_err();
    assert_eq!(refused.errno(), Some(Errno::BUSY));
    drop(store);
    eventually("the partition is free", || mount(partition.node()).is_ok());
}

#[test]
fn the_plan_says_what_changes_and_that_the_image_stays() {
    if !is_root() {
        return;
    }
    let (stick, length) = live_stick(SIZE, SHAPES[0]);
    let plan = plan(&boot_medium(&stick), Mode::FreeSpace).unwrap();
    assert!(!plan.destroys() && plan.place.start >= length as u64);
    assert_eq!(plan.warnings, ["small", "boot-image-kept"]);
    let changed: Vec<_> = plan
        .changed
        .iter()
        .map(|piece| (piece.kind, piece.filesystem.as_str()))
        .collect();
    assert_eq!(changed, [("partition-table", "dos")]);
}

#[test]
fn nothing_else_is_done_to_it() {
    if !is_root() {
        return;
    }
    let (stick, length) = live_stick(SIZE, SHAPES[0]);
    let before = read_at(stick.image(), 0, length);
    for mode in [Mode::Device, Mode::Partition, Mode::Loopback] {
        let refused = plan(&boot_medium(&stick), mode);
        assert!(
            matches!(refused, Err(Error::BootMedium(_))),
            "{mode:?}: {refused:?}"
        );
    }
    assert!(read_at(stick.image(), 0, length) == before);
}

#[test]
fn a_table_without_room_is_refused() {
    if !is_root() {
        return;
    }
    let stick = Stick::made(SIZE, |image| {
        let four = "label: dos\nsize=4MiB\nsize=4MiB\nsize=4MiB\nsize=4MiB\n";
        script("sfdisk", &["-q", image.to_str().unwrap()], four);
    });
    let refused = plan(&boot_medium(&stick), Mode::FreeSpace);
    assert!(
        matches!(refused, Err(Error::NotSupported(_))),
        "{refused:?}"
    );
}

#[test]
fn the_end_of_the_image_counts_where_its_partitions_are_shorter() {
    if !is_root() {
        return;
    }
    let (stick, length) = live_stick(SIZE, SHAPES[0]);
    let sectors = u32::try_from(MIB / 512).unwrap();
    write_at(stick.image(), 446 + 12, &sectors.to_le_bytes());
    write_at(stick.image(), 446 + 16, &[0; 16]);
    let plan = plan(&boot_medium(&stick), Mode::FreeSpace).unwrap();
    // xorriso pads what it appends to the image, and that has no longer a partition.
    assert!(plan.place.start + 4 * MIB > length as u64);
}

/// A filesystem that begins with the disk, and a partition that is the same: what a live image is,
/// for a kernel that knows no ISO 9660.
fn filesystem_over_all(disk: &Path) {
    let content = tempfile::tempdir().unwrap();
    fs::write(content.path().join("kernel"), "the kernel").unwrap();
    let (content, node) = (content.path().to_str().unwrap(), disk.to_str().unwrap());
    run(
        "mkfs.ext4",
        &["-q", "-b", "4096", "-d", content, node, "8192"],
    );
    write_dos_table(disk, &[(0x83, 0, 65536)]);
}

/// The target that the engine makes of the medium the system was started from.
fn boot_medium(stick: &Stick) -> Target {
    Target {
        boot_medium: true,
        ..stick.target()
    }
}

/// Nothing but the entry is new, and the boot code is what it was.
fn check_kept(stick: &Stick, before: &[u8], old: &[PartitionExtent]) {
    let after = read_at(stick.image(), 0, before.len());
    assert!(after[SYSTEM_AREA..] == before[SYSTEM_AREA..]);
    assert_eq!(stick.table()[..old.len()], *old);
    let differs = |place: Range<usize>| after[place.clone()] != before[place];
    assert!(!differs(0..446));
    let is_gpt = &before[512..520] == b"EFI PART";
    let slots = (446..510)
        .step_by(16)
        .filter(|slot| differs(*slot..slot + 16));
    assert_eq!(slots.count(), usize::from(!is_gpt));
    assert_eq!(differs(512..SYSTEM_AREA), is_gpt);
}

fn save_into(partition: &Partition) {
    let live = Live::new();
    let store: OpenStore = partition.store();
    let saved = live.save(&store, &named("Biofuel report"));
    let saved: Result<_> = saved.map(|report| report.session);
    assert!(saved.is_ok(), "{saved:?}");
}
