//! A stick as people have it: FAT or exFAT, with files that stay.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::ground::{EXFAT, FAT, Format, fill_with_photos};
use crate::person::{
    GIB, compare_inventory, find_work, prepare, take_inventory, text, wendyctl, work,
};
use crate::wendy;

#[test]
fn a_session_lives_beside_the_files_of_a_fat_stick() -> Result<()> {
    keep_beside_photos(FAT)
}

#[test]
fn a_session_lives_beside_the_files_of_an_exfat_stick() -> Result<()> {
    keep_beside_photos(EXFAT)
}

fn keep_beside_photos(format: Format) -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Fast)?;
    fill_with_photos(&mut vm, &stick, format)?;

    prepare(
        &mut vm,
        &format!("{}-part1", stick.node()),
        "--mode loopback",
    )?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.shut_down()?;

    let mut vm = Vm::boot(&image, text(&saved, "kernel_parameters")?, &[&stick])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    let photo = vm.run("cat /run/live/persistence/*/photo")?;
    ensure!(photo == "a photo\n", "the photo is now: {photo:?}");
    Ok(())
}
