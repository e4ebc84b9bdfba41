//! Sticks that an image was written to whose tables no tool would write.

use std::{fs::File, path::Path};

use wendyd::engine::prepare::Mode;

use crate::{SIZE, check_layout, common::*};

#[test]
fn a_live_image_stays_as_it_is_when_its_free_space_is_used() {
    if !is_root() {
        return;
    }
    for make in [hybrid_dos as fn(&Path), hybrid_gpt] {
        let stick = Stick::made(SIZE, make);
        let before = read_at(stick.image(), 64 * 512, IMAGE - 64 * 512);
        let plan = plan(&stick.target(), Mode::FreeSpace).unwrap();
        assert!(!plan.destroys() && plan.place.start >= IMAGE as u64);
        let old = stick.table();
        prepare_as(&stick.target(), Mode::FreeSpace).unwrap();
        assert!(read_at(stick.image(), 64 * 512, IMAGE - 64 * 512) == before);
        assert_eq!(stick.table()[..old.len()], old);
        let new = stick.table().last().unwrap().number;
        let store = stick.partition(new).store();
        check_layout(&path_of(&store.root()));
    }
}

/// Size of the images below.
const IMAGE: usize = 20 << 20;

/// As isohybrid makes it: the first partition is the whole image, the second lies within.
pub fn hybrid_dos(disk: &Path) {
    fill_image(disk);
    let sectors = u32::try_from(IMAGE / 512).unwrap();
    write_dos_table(disk, &[(0x00, 0, sectors), (0xEF, 6280, 8192)]);
}

/// Entries of type, first sector and size, which no tool would write as they overlap.
pub fn write_dos_table(disk: &Path, entries: &[(u8, u32, u32)]) {
    for (slot, (kind, start, size)) in (0..).zip(entries.iter().copied()) {
        let mut entry = [0_u8; 16];
        entry[4] = kind;
        entry[8..12].copy_from_slice(&u32::to_le_bytes(start));
        entry[12..].copy_from_slice(&u32::to_le_bytes(size));
        write_at(disk, 446 + 16 * slot, &entry);
    }
    write_at(disk, 446, &[0x80]);
    write_at(disk, 510, &[0x55, 0xAA]);
}

/// With a table whose second copy stands where the image ends.
fn hybrid_gpt(disk: &Path) {
    fill_image(disk);
    let all = File::options().write(true).open(disk).unwrap();
    all.set_len(IMAGE as u64).unwrap();
    let table =
        "label: gpt\nfirst-lba: 64\nstart=64, size=20000\nstart=20480, size=8192, type=uefi\n";
    script(
        "sfdisk",
        &["-q", "-w", "never", disk.to_str().unwrap()],
        table,
    );
    all.set_len(SIZE).unwrap();
}

/// Something everywhere, and the volume descriptor of an ISO 9660 of that size.
fn fill_image(disk: &Path) {
    let pattern: Vec<u8> = (0..=250).cycle().take(IMAGE - 64 * 1024).collect();
    write_at(disk, 64 * 1024, &pattern);
    let mut descriptor = vec![0_u8; 2048];
    descriptor[..6].copy_from_slice(b"\x01CD001");
    let blocks = u32::try_from(IMAGE / 2048).unwrap();
    descriptor[80..84].copy_from_slice(&blocks.to_le_bytes());
    descriptor[128..130].copy_from_slice(&2048_u16.to_le_bytes());
    write_at(disk, 16 * 2048, &descriptor);
}
