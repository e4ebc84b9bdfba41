//! The filesystem of a home on real FAT and exFAT, with files used by the kernel directly
//! (passthrough) where `home/tests/vfat` has none.
//!
//! `WENDY_HOME_TRIALS` sets how often a stick is pulled (default 3), and `WENDY_HOME_FIRST` the number of
//! the first trial (default 1): what one trial does follows from its number. `WENDY_HOME_FORMAT`, exfat or
//! vfat, leaves out the stick with the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::{NamedTempFile, TempPath};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm, program};

use crate::person::{GIB, MIB};
use crate::wendy;

/// A kind of filesystem.
#[derive(Debug, Clone, Copy)]
struct Format {
    /// The driver.
    name: &'static str,
    /// Makes one.
    make: &'static str,
    /// Repairs one.
    repair: &'static str,
    /// What the driver is told beside what it is told for all.
    options: &'static str,
}

/// How often two minutes may pass until a suite is through; on a busy machine pjdfstest took 270 s.
const PATIENCE: u32 = 15;

/// Tests of pjdfstest about files that a program has open. `home/tests/vfat` runs all of them, without
/// passthrough.
const OF_FILES: [&str; 5] = ["open", "truncate", "posix_fallocate", "utimensat", "unlink"];

const EXFAT: Format = Format {
    name: "exfat",
    make: "mkfs.exfat -q",
    repair: "fsck.exfat -p",
    options: "iocharset=utf8",
};
const VFAT: Format = Format {
    name: "vfat",
    make: "mkfs.vfat -F 32",
    repair: "fsck.vfat -a",
    options: "utf8",
};

#[test]
fn a_home_on_exfat_is_what_posix_says() -> Result<()> {
    is_what_posix_says(EXFAT, &[], 384)
}

#[test]
fn a_home_on_fat_used_by_the_kernel_directly_is_what_posix_says() -> Result<()> {
    is_what_posix_says(VFAT, &OF_FILES, 100)
}

/// In one machine, as to start it takes longer than some pulls.
#[test]
fn what_is_fsynced_on_exfat_and_fat_survives_a_pull() -> Result<()> {
    let mut vm = machine()?;
    let wanted = std::env::var("WENDY_HOME_FORMAT").ok();
    let formats = [EXFAT, VFAT].into_iter();
    let formats = formats.filter(|format| wanted.as_deref().is_none_or(|name| name == format.name));
    let formats: Vec<Format> = formats.collect();
    ensure!(!formats.is_empty(), "no filesystem is called {wanted:?}");
    for format in formats {
        survives_pulls(&mut vm, format)?;
    }
    Ok(())
}

#[test]
fn what_strangers_change_on_exfat_is_taken_over() -> Result<()> {
    let mut vm = machine()?;
    let stick = plugged(&mut vm, EXFAT, 128 * MIB)?;
    let at_home = |vm: &mut Vm, script: &str| -> Result<()> {
        vm.run(&mount(EXFAT, &stick, ""))?;
        vm.run(&format!("(cd /run/home && /run/tools/{script})"))?;
        vm.run(UNMOUNT).map(drop)
    };
    for (script, on_stick) in [("used", "changed"), ("found", "left")] {
        at_home(&mut vm, script)?;
        vm.run(&mount_bare(EXFAT, &stick))?;
        vm.run(&format!(
            "(cd /run/stick/pershome && /run/tools/{on_stick})"
        ))?;
        vm.run("umount /run/stick")?;
    }
    at_home(&mut vm, "remade")?;
    vm.run(&format!("fsck.exfat -n {}", stick.node())).map(drop)
}

/// By tests of `sys` that need a FAT, which the kernel they are built on may not know.
#[test]
fn what_is_said_to_be_written_to_a_fat_is() -> Result<()> {
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    let carrier = Stick::carrying("TESTS", &[tests_of_sys()?])?;
    vm.plug(&carrier, Plug::Fast)?;
    vm.run(&format!("mount {} /mnt", carrier.node()))?;
    let said = vm.run(
        "WENDY_TESTS_MUST_RUN=1 /mnt/wendy_sys-* --test-threads=1 --exact \
         dir::tests::a_file_on_a_fat_is_there_as_a_whole_when_the_power_fails \
         mount::tests::what_is_written_back_stays_in_no_memory_of_the_device 2>&1",
    )?;
    let all = said.contains("2 passed") && !said.contains("skipped: ");
    ensure!(all, "{said}");
    Ok(())
}

/// At least `passed` of the tests with these words in their names pass, of all without any, and none fails.
fn is_what_posix_says(format: Format, words: &[&str], passed: u32) -> Result<()> {
    // One test writes behind a gap of 2 GiB, and no FAT knows holes.
    let mut vm = machine()?;
    let stick = plugged(&mut vm, format, 3 * GIB)?;
    vm.run(&mount(format, &stick, ""))?;
    require_passthrough(&mut vm)?;
    vm.run("mkdir -m 777 /run/other /run/home/in; chmod 755 /run/home")?;
    let log = run_for_long(
        &mut vm,
        &format!(
            "/run/tools/pjdfstest -c /run/tools/pjdfstest.toml -s /run/other -p /run/home/in {}",
            words.join(" ")
        ),
    )?;
    ensure!(none_failed(&log, passed), "{log}");
    vm.run("rmdir /run/home/in")?;
    let log = run_for_long(&mut vm, "/run/tools/fsx -N 3000 -S 7 /run/home/file")?;
    ensure!(log.contains("All operations completed"), "{log}");
    vm.run("rm /run/home/file")?;
    vm.run(UNMOUNT)?;
    vm.run(&format!("{} {}", format.repair, stick.node()))
        .map(drop)
}

/// Runs what takes longer than any command may on a machine that has other things to do; what it said.
fn run_for_long(vm: &mut Vm, command: &str) -> Result<String> {
    vm.run(&format!(
        "rm -f /run/ended; ({command}; touch /run/ended) > /run/said 2>&1 &"
    ))?;
    let wait = "for i in $(seq 60); do [ ! -e /run/ended ] || exit 0; sleep 2; done; exit 1";
    for _ in 0..PATIENCE {
        if vm.attempt(&format!("({wait})"))?.status == 0 {
            return vm.run("cat /run/said");
        }
    }
    let said = vm.run("tail -n 20 /run/said")?;
    bail!("`{command}` does not come to an end:\n{said}")
}

/// Whether nothing failed and so many passed (14 of all need what no home has).
fn none_failed(log: &str, least: u32) -> bool {
    let passed = |summary: &str| summary.split(", ").nth(2)?.split(' ').next()?.parse().ok();
    let summary = log.lines().find_map(|line| line.strip_prefix("Summary: "));
    summary.is_some_and(|all| all.starts_with("0 failed") && passed(all) >= Some(least))
}

/// Files are changed and synced, the stick is pulled at some moment, plugged in again, repaired and
/// compared with what was promised.
fn survives_pulls(vm: &mut Vm, format: Format) -> Result<()> {
    let stick = plugged(vm, format, 256 * MIB)?;
    vm.run(&mount(format, &stick, ""))?;
    require_passthrough(vm)?;
    vm.run(UNMOUNT)?;
    let number = |name, usual| std::env::var(name).map_or(Ok(usual), |number| number.parse());
    let (first, trials) = (
        number("WENDY_HOME_FIRST", 1)?,
        number("WENDY_HOME_TRIALS", 3)?,
    );
    let mut promises = 0;
    for trial in first..first + trials {
        work_until_pulled(vm, format, &stick, trial)?;
        let pulled = copy(&stick)?;
        vm.plug(&stick, Plug::Fast)?;
        promises += match check(vm, format, &stick, trial) {
            Ok(kept) => kept,
            Err(error) => {
                let left = pulled.keep()?;
                bail!("{format:?}, trial {trial}, the stick as pulled is {left:?}: {error:#}");
            }
        };
        println!(
            "{}, trial {trial}: {promises} promises kept so far",
            format.name
        );
    }
    ensure!(promises > 5 * trials, "the work got nowhere: {promises}");
    vm.pull(&stick)
}

/// A copy of what is on a stick, kept if it is found wanting.
fn copy(stick: &Stick) -> Result<TempPath> {
    let copy = NamedTempFile::new()?.into_temp_path();
    let copied = program("/usr/bin/cp")
        .args(["--sparse=always", "--"])
        .args([&stick.file(), &*copy])
        .status()?;
    ensure!(copied.success(), "copying a stick: {copied}");
    Ok(copy)
}

fn work_until_pulled(vm: &mut Vm, format: Format, stick: &Stick, trial: u64) -> Result<()> {
    let seed = trial * 7919;
    vm.run(&mount(format, stick, "--commit 1 --settle-now"))?;
    // Counted in what is promised: a busy machine gets to little in any given time.
    let enough = 6 + seed % 19;
    vm.run(&format!(
        "rm -rf /run/home/w* /run/ledger\n\
         /run/tools/crash_workload work /run/home/w{trial} /run/ledger {seed} > /run/said 2>&1 &\n\
         until [ \"$(grep -c ^done /run/ledger)\" -ge {enough} ]; do\n\
             kill -0 $! || {{ cat /run/said; exit 1; }}\n\
             sleep 0.1\n\
         done 2> /dev/null"
    ))?;
    // Any moment will do, but another one each time, with and without settling going on.
    std::thread::sleep(Duration::from_millis(seed % 1999));
    vm.pull(stick)?;
    // It ends because nothing can be synced any more.
    vm.run("for i in $(seq 300); do pgrep -x crash_workload || exit 0; sleep 0.2; done; exit 1")
        .context("the work does not notice that the stick is gone")?;
    vm.run("umount -l /run/home; pkill -KILL -x wendy-home; umount -l /run/stick")
        .map(drop)
}

/// Number of promises kept.
fn check(vm: &mut Vm, format: Format, stick: &Stick, trial: u64) -> Result<u64> {
    let node = stick.node();
    vm.run(&format!("/run/tools/crash_workload repair {node}"))?;
    vm.run(&mount(format, stick, "--commit 1 --settle-now"))?;
    let said = vm.run(&format!(
        "/run/tools/crash_workload check /run/home/w{trial} /run/ledger && find /run/home > /dev/null"
    ))?;
    vm.run(UNMOUNT)?;
    vm.run(&format!("{} {node}", format.repair))?;
    let kept = said.split("promises=").nth(1).context(said.clone())?;
    let kept = kept.split(' ').next().context("no number")?;
    Ok(kept.parse()?)
}

/// The kernel reads a file by itself: else its bytes pass through the server (proc(5), `/proc/pid/io`), as
/// those written do on FAT anyway.
fn require_passthrough(vm: &mut Vm) -> Result<()> {
    let passed = vm.run(
        "set -e; io=/proc/$(pgrep -x wendy-home)/io\n\
         passed() { awk '/^[rw]char:/ {sum += $2} END {print sum}' $io; }\n\
         dd if=/dev/urandom of=/run/home/film bs=1M count=8 2> /dev/null; sync /run/home/film\n\
         echo 3 > /proc/sys/vm/drop_caches; before=$(passed)\n\
         [ $(cat /run/home/film | wc -c) = 8388608 ]; echo $(($(passed) - before))\n\
         rm /run/home/film",
    )?;
    let passed: u64 = passed.trim().parse()?;
    ensure!(passed < MIB, "the server has read {passed} bytes");
    Ok(())
}

/// A machine with the tools.
fn machine() -> Result<Vm> {
    let mut vm = wendy::installed(&LiveImage::of(Suite::Trixie)?)?;
    let carrier = Stick::carrying("CARRIER", &tools()?)?;
    vm.plug(&carrier, Plug::Fast)?;
    vm.run(&format!(
        "mkdir /run/tools /run/stick /run/home && mount {} /mnt && \
         cp /mnt/* /run/tools && umount /mnt && mount -o remount,exec /run",
        carrier.node()
    ))?;
    vm.pull(&carrier)?;
    Ok(vm)
}

/// A stick with an empty filesystem.
fn plugged(vm: &mut Vm, format: Format, size: u64) -> Result<Stick> {
    let stick = Stick::blank("STICK", size)?;
    vm.plug(&stick, Plug::Fast)?;
    vm.run(&format!(
        "{} {} && udevadm settle",
        format.make,
        stick.node()
    ))?;
    Ok(stick)
}

/// Shell words that mount a stick and show the home on it, made if there is none. What fsck.fat finds
/// without a name goes, as in `pull_once` of `home/tests/vfat`.
fn mount(format: Format, stick: &Stick, options: &str) -> String {
    format!(
        "set -e\n{}\n\
         rm -f /run/stick/FSCK*.REC; sync\n\
         [ -d /run/stick/pershome/.wendy ] || wendy-home create /run/stick/pershome\n\
         rm -f /run/ready\n\
         wendy-home mount {options} /run/stick/pershome /run/home > /run/ready 2>&1 &\n\
         until grep -qx ready /run/ready; do kill -0 $!; sleep 0.1; done",
        mount_bare(format, stick)
    )
}

/// Shell words that mount a stick.
fn mount_bare(format: Format, stick: &Stick) -> String {
    format!(
        "mount -t {} -o {},noatime,nosuid,nodev,umask=077,errors=remount-ro {} /run/stick",
        format.name,
        format.options,
        stick.node()
    )
}

/// Shell words that end the use of both and look whether the home is in order then.
const UNMOUNT: &str = "umount /run/home && while pgrep -x wendy-home; do sleep 0.1; done && \
    wendy-home fsck /run/stick/pershome && umount /run/stick";

/// What runs inside: tests that others wrote, and the work that is going to be interrupted.
fn tools() -> Result<Vec<PathBuf>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../home");
    let strangers = ["used", "changed", "found", "named", "left", "remade"];
    let strangers = strangers.map(|name| home.join(format!("tests/strangers/{name}")));
    let mut tools = vec![
        installed("pjdfstest")?,
        installed("fsx")?,
        home.join("tests/pjdfstest.toml"),
        workload()?,
    ];
    tools.extend(strangers);
    Ok(tools)
}

/// A tool that `make check` installs.
fn installed(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    found.with_context(|| format!("install it: cargo install --locked {name}"))
}

/// The program with the tests of `sys`, which cargo builds beside these.
fn tests_of_sys() -> Result<PathBuf> {
    let built = std::env::current_exe()?;
    let beside = std::fs::read_dir(built.parent().context("no build directory")?)?;
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("wendy_sys-") && !name.contains('.')
    };
    let all = beside.flatten().map(|entry| entry.path()).filter(is_it);
    let newest = all.max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok());
    newest.context("build it: cargo test -p wendy-sys --no-run")
}

/// The program of `home/examples/crash_workload`, which cargo builds beside the tests.
fn workload() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let built = test.ancestors().nth(2).context("no build directory")?;
    let program = built.join("examples/crash_workload");
    ensure!(
        program.exists(),
        "build it: cargo build -p wendy-home --examples"
    );
    Ok(program)
}
