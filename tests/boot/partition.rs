//! A partition of its own on a stick that is for other things too, and what no longer fits in there.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Outcome, Plug, Stick, Suite, Vm};

use crate::ground::{find_photo, leave_photo};
use crate::person::{
    GIB, MIB, compare_inventory, find_work, generation, prepare, take_inventory, text, wendyctl,
    work,
};
use crate::wendy::{self, Moment};

/// wendyctl's exit status for too little room.
const NO_SPACE: i32 = 7;

#[test]
fn a_partition_that_runs_full_keeps_the_last_save() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Slow(8 * MIB))?;
    divide(&mut vm, &stick)?;
    prepare(
        &mut vm,
        &format!("{}-part2", stick.node()),
        "--mode partition",
    )?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;

    ask_for_too_much(&mut vm)?;
    run_full(&mut vm)?;
    vm.shut_down()?;

    let mut vm = Vm::boot(&image, text(&saved, "kernel_parameters")?, &[&stick])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    vm.run("wendyctl verify 'Biofuel report'")?;
    find_photo(&mut vm, &format!("{}-part1", stick.node()))
}

/// Half a gigabyte with photos, and a partition of 300 MiB with something that nobody needs.
fn divide(vm: &mut Vm, stick: &Stick) -> Result<()> {
    let node = stick.node();
    vm.run(&format!(
        "printf 'label: dos\\n,512M,c\\n,300M,L\\n' | sfdisk {node} && udevadm settle"
    ))?;
    vm.run(&format!("mkfs.vfat -n PHOTOS {node}-part1"))?;
    leave_photo(vm, &format!("{node}-part1"))?;
    vm.run(&format!(
        "mkfs.ext4 -q -L old {node}-part2 && udevadm settle"
    ))
    .map(drop)
}

/// What cannot fit is refused before anything is written.
fn ask_for_too_much(vm: &mut Vm) -> Result<()> {
    vm.run("head -c 400M /dev/zero > /home/user/too-much")?;
    let refused = vm.attempt("wendyctl --json save 'Biofuel report'")?;
    check_full(vm, &refused)?;
    vm.run("rm /home/user/too-much").map(drop)
}

/// What looked as if it would fit, until somebody wrote more while it was being saved.
fn run_full(vm: &mut Vm) -> Result<()> {
    vm.run("head -c 100M /dev/urandom > /home/user/much")?;
    wendy::start_and_reach(vm, "save 'Biofuel report'", Moment::Bytes(8 * MIB))?;
    vm.run("head -c 120M /dev/zero > /home/user/more")?;
    let full = wendy::wait_for_end(vm)?;
    check_full(vm, &full)?;

    // It may have counted without what came last.
    let counting = generation(vm)?;
    vm.run("rm /home/user/much /home/user/more; echo small > /home/user/small")?;
    wendyctl(vm, "save 'Biofuel report'")?;
    ensure!(generation(vm)? > counting, "the next save does not count");
    Ok(())
}

/// The error has a name of its own, and the save before is whole.
fn check_full(vm: &mut Vm, ended: &Outcome) -> Result<()> {
    ensure!(ended.status == NO_SPACE, "it ended with {ended:?}");
    ensure!(
        ended.output.contains("no-space"),
        "it is not named: {ended:?}"
    );
    vm.run("wendyctl verify 'Biofuel report'").map(drop)
}
