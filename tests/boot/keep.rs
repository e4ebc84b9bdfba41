//! The main job: work on a stock live system, keep it, go on from there on the untouched image.

use anyhow::{Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::person::{
    GIB, MIB, compare_inventory, find_session, find_work, number, prepare, take_inventory, text,
    wendyctl, work,
};
use crate::wendy::{self, Moment};

/// wendyctl's exit status for a device that was pulled out.
const PULLED_OUT: i32 = 10;

#[test]
fn trixie_goes_on_where_it_was_saved() -> Result<()> {
    keep_and_go_on(Suite::Trixie)
}

#[test]
fn bookworm_goes_on_where_it_was_saved() -> Result<()> {
    keep_and_go_on(Suite::Bookworm)
}

/// The whole path of a user, with a second save of which the stick is pulled away in a third.
fn keep_and_go_on(suite: Suite) -> Result<()> {
    let image = LiveImage::of(suite)?;
    let stick = Stick::blank("STICK", 2 * GIB)?;
    let mut vm = wendy::installed(&image)?;

    let status = vm.run("wendyctl status")?;
    ensure!(
        status.contains("kept in memory only and will be lost"),
        "status says: {status}"
    );
    vm.plug(&stick, Plug::Fast)?;
    prepare(&mut vm, &stick.node(), "")?;
    work(&mut vm)?;
    let first = wendyctl(&mut vm, "save 'Biofuel report'")?;
    let journal = journal_bytes(&mut vm)?;
    save_a_little_more(&mut vm, number(&first, "bytes")?.saturating_sub(journal))?;
    lose_the_stick_while_saving(&mut vm, &stick)?;
    drop(vm);

    let parameters = text(&first, "kernel_parameters")?;
    let mut vm = Vm::boot(&image, parameters, &[&stick])?;
    find_work(&mut vm)?;
    vm.run("grep -q conclusion /home/user/report/text")?;
    compare_inventory(&mut vm)?;
    let status = vm.run("wendyctl status")?;
    ensure!(status.contains("Biofuel report"), "status says: {status}");
    vm.run("wendyctl verify 'Biofuel report'").map(drop)
}

/// More work, and a save that writes that and nothing else; `all` is what the first save held beside
/// the journal.
fn save_a_little_more(vm: &mut Vm, all: u64) -> Result<()> {
    vm.run("echo 'In conclusion, it burns: conclusion' >> /home/user/report/text")?;
    take_inventory(vm)?;
    let again = wendyctl(vm, "save 'Biofuel report'")?;
    let written = number(&again, "written_bytes")?;
    ensure!(
        number(&again["session"], "generation")? > 1,
        "another session was made: {again}"
    );
    // A line and the inventory, and not the 20 MiB of data nor the installed package. The journal,
    // which goes on by itself in files of 8 MiB, is written anew by every save.
    let ours = written.saturating_sub(journal_bytes(vm)?);
    ensure!(
        written < 20 * MIB && ours < all / 3,
        "{written} bytes were written, {ours} of {all} beside the journal: {again}"
    );
    Ok(())
}

/// What the system's own journal holds by now.
fn journal_bytes(vm: &mut Vm) -> Result<u64> {
    let sizes = vm.run("find /var/log/journal -type f -printf '%s\\n'")?;
    sizes.lines().map(|size| Ok(size.parse::<u64>()?)).sum()
}

fn lose_the_stick_while_saving(vm: &mut Vm, stick: &Stick) -> Result<()> {
    vm.pull(stick)?;
    vm.plug(stick, Plug::Slow(4 * MIB))?;
    find_session(vm)?;
    vm.run("head -c 100M /dev/urandom > /home/user/more; rm /home/user/report/data")?;
    wendy::start_and_reach(vm, "save 'Biofuel report'", Moment::Bytes(8 * MIB))?;
    vm.pull(stick)?;
    let end = wendy::wait_for_end(vm)?;
    ensure!(end.status == PULLED_OUT, "the save ended with {end:?}");
    Ok(())
}
