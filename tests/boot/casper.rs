//! The layout of Ubuntu's casper, whose mounts nobody can reach once the system runs.

use anyhow::Result;
use wendy_tests::vm::{LiveImage, OtherStack, Vm};

use crate::stacks::keep_and_go_on;

#[test]
fn casper_goes_on_where_it_was_saved() -> Result<()> {
    let image = LiveImage::started_by(OtherStack::Casper)?;
    let mut vm = keep_and_go_on(&image, "casper", expect_hidden)?;
    // It looks exactly as without anything kept.
    expect_hidden(&mut vm)
}

/// The changes are below a mount that the root directory's overlay names and no path leads to.
fn expect_hidden(vm: &mut Vm) -> Result<()> {
    vm.run("findmnt -n -o OPTIONS / | grep -F upperdir=/cow/upper")?;
    vm.run("[ ! -e /cow ] && [ ! -e /filesystem.squashfs ]")?;
    vm.run("[ -e /run/.casper-boot ] && mountpoint -q /cdrom && mountpoint -q /rofs")
        .map(drop)
}
