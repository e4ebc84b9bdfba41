//! dracut's dmsquash-live, the stack of Fedora and its relatives, in both of its layouts.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, OtherStack, Plug, Stick};

use crate::person::{GIB, prepare};
use crate::stacks::{expect_status, keep_and_go_on};
use crate::wendy;

/// wendyctl's exit status for what cannot be done on this system.
const IMPOSSIBLE: i32 = 11;

#[test]
fn dracut_goes_on_where_it_was_saved() -> Result<()> {
    let image = LiveImage::started_by(OtherStack::Dracut)?;
    keep_and_go_on(&image, "dracut", |vm| {
        vm.run("findmnt -n -o SOURCE / | grep -x LiveOS_rootfs")
            .map(drop)
    })
    .map(drop)
}

#[test]
fn a_snapshot_of_blocks_is_told_and_not_saved() -> Result<()> {
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(&LiveImage::started_by(OtherStack::LiveOs)?)?;
    vm.run("findmnt -n -o SOURCE / | grep -x /dev/mapper/live-rw")?;
    expect_status(&mut vm, "volatile", "dracut", "dm-snapshot")?;

    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    let refused = vm.attempt("wendyctl save 'Biofuel report'")?;
    ensure!(
        refused.status == IMPOSSIBLE && refused.output.contains("device-mapper snapshot"),
        "saving ended with {refused:?}"
    );
    let sessions = vm.run("wendyctl sessions")?;
    ensure!(!sessions.contains("Biofuel"), "there is now: {sessions}");
    Ok(())
}
