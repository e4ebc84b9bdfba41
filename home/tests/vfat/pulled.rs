//! The plug pulled while a home is used.
//!
//! `WENDY_HOME_TRIALS` sets how often (default 3).

use crate::common::uml::{Uml, mount_home};
use crate::{END, MIB, program};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[test]
fn what_is_fsynced_survives_a_pulled_stick() {
    let Some(uml) = Uml::new(256 * MIB) else {
        return;
    };
    let trials = std::env::var("WENDY_HOME_TRIALS").map_or(3, |count| count.parse().unwrap());
    let mut promises = 0;
    for trial in 1..=trials {
        promises += pull_once(&uml, trial);
        println!("{trial} trials, {promises} promises kept");
    }
    assert!(promises > 10 * trials, "the work got nowhere");
}

/// Works, pulls the plug at some moment, repairs, mounts again and checks; number of promises kept.
fn pull_once(uml: &Uml, trial: u64) -> u64 {
    let workload = workload();
    let ledger = uml.file("ledger");
    let _ = fs::remove_file(&ledger);
    let mount = mount_home(program(), "--commit 1 --settle-now");
    let (work, ledger_path) = (workload.display(), ledger.display());
    let tree = format!("/mnt/home/w{trial}");
    let seed = trial * 7919;
    // fsck.fat keeps what it finds without a name, and has no more than 10,000 names for it. FAT must
    // have forgotten them before their clusters hold anything else.
    let mut running = uml.start(&format!(
        "rm -f /mnt/stick/FSCK*.REC\nsync\n\
         {mount}rm -rf /mnt/home/w*\n{work} work {tree} {ledger_path} {seed}\n"
    ));
    // Counted in what is promised: a busy machine gets to little in any given time.
    let promised = || fs::read_to_string(&ledger).map_or(0, |said| said.matches("done\t").count());
    let enough = 11 + usize::try_from(seed % 61).unwrap();
    running.wait_until("enough is promised", || promised() >= enough);
    // Any moment will do, but another one each time, with and without settling going on.
    let end = Instant::now() + Duration::from_millis(seed % 1999);
    running.wait_until("the plug is pulled", || Instant::now() > end);
    running.pull();
    uml.fsck();
    let said = uml.run(&format!(
        "{mount}{work} check {tree} {ledger_path}\nfind /mnt/home > /dev/null\n\
         {END}{program} fsck /mnt/stick/pershome\n",
        program = program().display(),
    ));
    assert!(
        !uml.fsck(),
        "trial {trial}: the repaired medium was not left in order"
    );
    let kept = said
        .split("promises=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    kept.unwrap_or_else(|| panic!("trial {trial}: {said}"))
        .parse()
        .unwrap()
}

/// Long before the kernel would write it back by itself.
#[test]
fn what_nobody_syncs_survives_a_pull_some_seconds_later() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    let (mount, made) = (mount_home(program(), "--commit 2"), uml.file("made"));
    let mut running = uml.start(&format!(
        "{mount}cd /mnt/home\nmkdir new\necho text > new/file\nln -s file new/link\n\
         sleep 6\n: > {made}\nsleep 600\n",
        made = made.display()
    ));
    running.wait_until("some seconds have passed", || made.exists());
    running.pull();
    uml.fsck();
    uml.run(&format!(
        "{mount}[ \"$(cat /mnt/home/new/link)\" = text ]\n{END}"
    ));
}

/// The kernel writes a file back by itself and takes its inode for clean, whose block it has only marked.
#[test]
fn what_is_fsynced_after_the_kernel_wrote_it_back_survives_a_pull() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    let (mount, made) = (mount_home(program(), "--commit 60"), uml.file("made"));
    let mut running = uml.start(&format!(
        "echo 100 > /proc/sys/vm/dirty_expire_centisecs\n\
         echo 500 > /proc/sys/vm/dirty_writeback_centisecs\n\
         written() {{ awk '{{print $7}}' /sys/block/ubda/stat; }}\n\
         {mount}cd /mnt/home\nhead -c 100 /dev/zero > file\nsync file\n\
         sleep 7\nbefore=$(written)\nhead -c 300 /dev/zero >> file\n\
         until [ $(written) -gt $before ]; do busybox usleep 100000; done\nbusybox usleep 300000\n\
         sync file\n: > {made}\nsleep 600\n",
        made = made.display()
    ));
    running.wait_until("it has been synced", || made.exists());
    running.pull();
    uml.run("[ $(stat -c %s /mnt/stick/pershome/file) = 400 ]\n");
}

/// On a full stick the next file takes what another one has just given up, whose entry on the medium
/// may still claim it.
#[test]
fn what_is_fsynced_shares_nothing_with_what_was_cut_off() {
    let Some(uml) = Uml::new(48 * MIB) else {
        return;
    };
    let (mount, sums) = (mount_home(program(), "--commit 1"), uml.file("sums"));
    let mut running = uml.start(&format!(
        "{mount}cd /mnt/home\nhead -c 300k /dev/urandom > cut\nsync\n\
         dd if=/dev/zero of=fill bs=64k || true\nsync\nsleep 2\n: > cut\n\
         dd if=/dev/urandom of=kept bs=1k count=200 conv=fsync\nmd5sum kept > {sums}.new\n\
         mv {sums}.new {sums}\nsleep 600\n",
        sums = sums.display()
    ));
    running.wait_until("a file has been synced", || sums.exists());
    running.pull();
    assert!(uml.fsck(), "nothing was interrupted");
    uml.run(&format!(
        "{mount}cd /mnt/home\nmd5sum -c {sums}\ncd /\n{END}",
        sums = sums.display()
    ));
}

/// The program of `examples/crash_workload`, which cargo builds beside the tests.
fn workload() -> PathBuf {
    let built = program().parent().unwrap().join("examples/crash_workload");
    assert!(
        built.exists(),
        "build it: cargo build -p wendy-home --examples"
    );
    built
}
