//! The power goes away in the middle of things.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::ground::has_store;
use crate::person::{
    GIB, MIB, compare_inventory, find_work, prepare, prepare_command, take_inventory, text,
    wendyctl, work,
};
use crate::wendy::{self, Moment};

#[test]
fn a_power_cut_while_saving_leaves_the_last_save() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Slow(16 * MIB))?;
    prepare(&mut vm, &stick.node(), "")?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;

    vm.run("head -c 200M /dev/urandom > /home/user/report/data; rm -r /opt")?;
    wendy::start_and_reach(&mut vm, "save 'Biofuel report'", Moment::Bytes(16 * MIB))?;
    vm.cut_power();

    let mut vm = Vm::boot(&image, text(&saved, "kernel_parameters")?, &[&stick])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    vm.run("wendyctl verify 'Biofuel report'").map(drop)
}

#[test]
fn a_power_cut_while_preparing_leaves_nothing_that_looks_like_a_store() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Slow(256 << 10))?;
    let command = prepare_command(&mut vm, &stick.node(), "")?;
    wendy::start_and_reach(&mut vm, &command, Moment::Phase("formatting"))?;
    vm.cut_power();

    let mut vm = wendy::installed(&image)?;
    vm.plug(&stick, Plug::Fast)?;
    ensure!(!has_store(&mut vm)?, "half a store is taken for one");
    prepare(&mut vm, &stick.node(), "")?;
    wendyctl(&mut vm, "save 'Second try'").map(drop)
}
