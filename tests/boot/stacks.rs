//! The path of a user, the same whatever started the live system.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Vm};

use crate::person::{
    GIB, compare_inventory, find_work, number, prepare, take_inventory, text, wendyctl, work,
};
use crate::wendy;

/// wendyctl's exit status for what is in use.
const BUSY: i32 = 8;

/// Works, saves, and goes on from there on the untouched image with the parameters that the save
/// told; then saves once more what was done there. `look` may look at the fresh system first.
pub fn keep_and_go_on(
    image: &LiveImage,
    stack: &str,
    look: impl FnOnce(&mut Vm) -> Result<()>,
) -> Result<Vm> {
    let stick = Stick::blank("STICK", GIB)?;
    let mut vm = wendy::installed(image)?;
    look(&mut vm)?;
    expect_status(&mut vm, "volatile", stack, "overlayfs")?;
    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    work(&mut vm)?;
    take_inventory(&mut vm)?;
    let saved = wendyctl(&mut vm, "save 'Biofuel report'")?;
    vm.shut_down()?;

    let mut vm = Vm::boot(image, text(&saved, "kernel_parameters")?, &[&stick])?;
    find_work(&mut vm)?;
    compare_inventory(&mut vm)?;
    expect_status(&mut vm, "persistent", stack, "overlayfs")?;
    save_in_place(&mut vm)?;
    Ok(vm)
}

/// What `wendyctl status` must say about the running system.
pub fn expect_status(vm: &mut Vm, state: &str, stack: &str, kind: &str) -> Result<()> {
    let status = wendyctl(vm, "status")?;
    let said = [
        text(&status, "state")?,
        text(&status, "live_stack")?,
        text(&status, "upper_kind")?,
    ];
    ensure!(said == [state, stack, kind], "status says: {status}");
    ensure!(number(&status, "used")? > 0, "nothing is used: {status}");
    Ok(())
}

/// What the system runs from is already where a save would copy it: no generation is added, and
/// nothing can take it away.
fn save_in_place(vm: &mut Vm) -> Result<()> {
    let status = vm.run("wendyctl status")?;
    ensure!(
        status.contains("kept in the session \"Biofuel report\" on \"My stick\""),
        "status says: {status}"
    );
    vm.run("echo 'In conclusion, it burns' >> /home/user/report/text")?;
    let again = wendyctl(vm, "save 'Biofuel report'")?;
    ensure!(
        number(&again["session"], "generation")? == 1,
        "it was copied: {again}"
    );
    vm.run("wendyctl verify 'Biofuel report'")?;
    let refused = vm.attempt("wendyctl delete 'Biofuel report' --yes")?;
    ensure!(refused.status == BUSY, "deleting ended with {refused:?}");
    Ok(())
}
