//! Sticks that a live image was written to.

use std::{
    fs::{self, File},
    io::Write,
};

use super::{Stick, in_memory, run};

/// Behind this much of an image begin its files; before it, boot code and tables have their place.
pub const SYSTEM_AREA: usize = 32 << 10;

/// How xorriso is told to make an image that starts from a stick, as live systems have them.
pub type Shape = &'static [&'static str];

pub const SHAPES: [Shape; 3] = [
    &["-part_like_isohybrid", "-partition_offset", "16"],
    &["-part_like_isohybrid"],
    &[
        "-partition_offset",
        "16",
        "--mbr-force-bootable",
        "-appended_part_as_gpt",
    ],
];

/// A stick with such an image, and the length of the image.
pub fn live_stick(size: u64, shape: Shape) -> (Stick, usize) {
    let directory = in_memory();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("medium")).unwrap();
    for (file, size) in [
        ("medium/filesystem.squashfs", 9 << 20),
        ("efi.img", 1 << 20),
        ("boot", SYSTEM_AREA),
    ] {
        fs::write(
            path(file),
            (0..=250).cycle().take(size).collect::<Vec<u8>>(),
        )
        .unwrap();
    }
    let [image, efi, boot, medium] = ["live.iso", "efi.img", "boot", "medium"]
        .map(|name| path(name).to_str().unwrap().to_owned());
    let usual = [
        "-as", "mkisofs", "-quiet", "-R", "-V", "LIVE", "-o", &image, "-G", &boot,
    ];
    let content = ["-append_partition", "2", "0xef", &efi, &medium];
    run("xorriso", &[&usual, shape, &content].concat());
    let bytes = fs::read(&image).unwrap();
    (
        Stick::made(size, |disk| {
            let mut disk = File::options().write(true).open(disk).unwrap();
            disk.write_all(&bytes).unwrap();
        }),
        bytes.len(),
    )
}
