//! The mounted filesystem over the real vfat driver, in a user-mode Linux.
//!
//! `WENDY_HOME_TRIALS` sets how often the plug is pulled (default 3).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::uml::{Uml, mount_home};
use common::{PROGRAM, find, skip};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;
const END: &str = "umount /mnt/home\nwait $!\n";

fn program() -> &'static Path {
    Path::new(PROGRAM)
}

#[test]
fn pjdfstest_finds_no_failure_on_vfat() {
    // One test writes behind a gap of 2 GiB, and FAT knows no holes.
    let Some(uml) = Uml::new(3072 * MIB) else {
        return;
    };
    let Some(pjdfstest) = find("pjdfstest") else {
        return skip("cargo install pjdfstest --version 0.2.2 --locked");
    };
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pjdfstest.toml");
    let said = uml.run(&format!(
        "{mount}mkdir -m 777 /mnt/home/in\nchmod 755 /mnt/home\n\
         {pjdfstest} -c {config} -s /mnt/other -p /mnt/home/in > {log} || true\nrmdir /mnt/home/in\n{END}",
        mount = mount_home(program(), ""),
        pjdfstest = pjdfstest.display(),
        log = uml.file("log").display(),
    ));
    let log = fs::read_to_string(uml.file("log")).unwrap();
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("FAILED")).collect();
    assert!(log.contains("Summary: 0 failed"), "{failed:#?}\n{said}");
    assert!(!uml.fsck());
}

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
        "{mount}{work} check {tree} {ledger_path}\nfind /mnt/home > /dev/null\n{END}"
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

#[test]
fn what_strangers_change_on_vfat_is_taken_over() {
    let Some(uml) = Uml::new(128 * MIB) else {
        return;
    };
    let mount = mount_home(program(), "");
    uml.run(&format!(
        "{mount}cd /mnt/home\nmkdir dir\necho one > dir/one\necho two > two\necho three > three\n\
         chmod 750 two\nln -s two link\necho 1 > Makefile\necho 2 > makefile\necho 3 > 'a:b. '\n\
         echo 4 > CON\ncd /\n{END}"
    ));
    uml.run(
        "cd /mnt/stick/pershome\n\
         [ \"$(cat two)\" = two ]\n[ \"$(cat Makefile)\" = 1 ]\n\
         mv dir folder\nmv folder/one 'one more'\necho longer than before > two\nrm three\n\
         mkdir new\necho new > new/file\necho accents > 'Été à Zürich 報告書 😀'\n\
         echo ascii > $(printf 'x%.0s' $(seq 255))\necho bytes > $(printf '報%.0s' $(seq 85))\n\
         echo units > $(printf '告%.0s' $(seq 255))\n",
    );
    uml.run(&format!(
        "{mount}cd /mnt/home\n[ \"$(cat 'one more')\" = one ]\n[ -d folder ]\n[ ! -e dir ]\n\
         [ ! -e three ]\n[ \"$(cat two)\" = 'longer than before' ]\n[ \"$(stat -c %a two)\" = 750 ]\n\
         [ \"$(readlink link)\" = two ]\n[ \"$(cat new/file)\" = new ]\n[ \"$(cat makefile)\" = 2 ]\n\
         [ \"$(cat 'a:b. ')\" = 3 ]\n[ \"$(cat CON)\" = 4 ]\n\
         [ \"$(cat 'Été à Zürich 報告書 😀')\" = accents ]\n\
         [ \"$(cat $(printf 'x%.0s' $(seq 255)))\" = ascii ]\n\
         [ \"$(cat $(printf '報%.0s' $(seq 85)))\" = bytes ]\n\
         [ \"$(cat 告*)\" = units ]\nmv 告* short\nmv short Été\ncd /\n{END}"
    ));
    uml.run(
        "cd /mnt/stick/pershome\n[ \"$(cat Été)\" = units ]\n\
         [ \"$(cat $(printf 'x%.0s' $(seq 255)))\" = ascii ]\n",
    );
    assert!(!uml.fsck());
}

/// What was synced before is whole, also after the next mount; what is removed gives its room back.
#[test]
fn a_full_stick_says_so_and_keeps_what_it_has() {
    let Some(uml) = Uml::new(48 * MIB) else {
        return;
    };
    let (mount, sums) = (mount_home(program(), "--commit 1"), uml.file("sums"));
    let (sums, program) = (sums.display(), program().display());
    let said = uml.run(&format!(
        "{mount}cd /mnt/home\nmkdir kept\n\
         for i in $(seq 20); do dd if=/dev/urandom of=kept/$i bs=10k count=1 conv=fsync; done\n\
         chmod 640 kept/1\nln -s 1 kept/link\nsync kept\nmd5sum kept/[0-9]* > {sums}\n\
         if dd if=/dev/zero of=big bs=64k conv=fsync; then exit 1; fi\ni=0\n\
         while dd if=/dev/zero of=small$i bs=1 count=1; do i=$((i + 1)); done\n\
         i=0\nwhile ln -s $(printf 'x%.0s' $(seq 3000)) link$i; do i=$((i + 1)); done\n\
         rm link*\n[ $i -gt 20 ]\nln -s $i link\n\
         md5sum --quiet -c {sums}\ncd /\n{END}"
    ));
    let full = "'big': No space left on device";
    assert!(said.contains(full) && !said.contains("small0'"), "{said}");
    assert!(!uml.fsck());
    uml.run(&format!(
        "{mount}cd /mnt/home\nmd5sum --quiet -c {sums}\n[ \"$(readlink kept/link)\" = 1 ]\n\
         mv kept/link kept/other\nrm big small*\n\
         dd if=/dev/urandom of=again bs=1M count=8 conv=fsync\nmd5sum again >> {sums}\n\
         cd /\n{END}{program} fsck /mnt/stick/pershome\n"
    ));
    let said = uml.run(&format!(
        "{program} fsck /mnt/stick/pershome\n{mount}cd /mnt/home\nmd5sum --quiet -c {sums}\n\
         [ \"$(stat -c %a kept/1)\" = 640 ]\n[ \"$(readlink kept/other)\" = 1 ]\n[ ! -e big ]\n\
         cd /\n{END}"
    ));
    assert!(!uml.fsck(), "{said}");
}

#[test]
fn an_idle_home_writes_nothing() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    let mount = mount_home(program(), "--commit 1");
    let said = uml.run(&format!(
        "{mount}echo text > /mnt/home/file\nmv /mnt/home/file /mnt/home/name\nsleep 6\nsync\n\
         b=$(awk '{{print $5}}' /sys/block/ubda/stat)\n\
         sleep 5\nsync\nc=$(awk '{{print $5}}' /sys/block/ubda/stat)\necho \"writes while idle: $((c-b))\"\n\
         [ -e /mnt/stick/pershome/name ]\n{END}"
    ));
    assert!(said.contains("writes while idle: 0"), "{said}");
}

/// The kernel counts a flush as one more write, of nothing.
#[test]
fn small_changes_cost_one_write_and_one_flush_each_time_they_are_kept() {
    let round = "chmod $((600 + i % 8)) file; ln -s target link$i; mv link$i other$i";
    let Some(cost) = cost_of_commits("touch file", round, "") else {
        return;
    };
    // Once in a while the kernel writes the time at which the log was changed.
    assert!(cost.flushes <= COMMITS + 1, "{cost:?}");
    assert!(cost.writes <= COMMITS + 3, "{cost:?}");
}

/// With each commit the files are written back.
#[test]
fn small_files_appended_to_cost_little_more() {
    let files = "0 1 2 3 4 5 6 7 8 9";
    let first = format!("for file in {files}; do : > $file; done");
    let round = format!("for file in {files}; do echo line >> $file; done; busybox usleep 100000");
    let Some(cost) = cost_of_commits(&first, &round, "sync") else {
        return;
    };
    assert!(cost.flushes <= COMMITS + 1, "{cost:?}");
    // In each commit one of the log, and those of the ends of ten files, their entries and the FATs, of
    // which some lie beside each other.
    assert!(cost.writes <= COMMITS * 8, "{cost:?}");
    // Of ten files a round records 1.7 kB.
    assert!(cost.sectors <= cost.rounds * 5 + 100, "{cost:?}");
}

/// Seconds between two commits.
const COMMIT: u64 = 2;
const COMMITS: u64 = 10;

/// What a home in use costs the stick for as long as some commits take.
#[derive(Debug)]
struct Cost {
    rounds: u64,
    writes: u64,
    flushes: u64,
    sectors: u64,
}

/// What `round`, done again and again, and then `last` cost after `first`; `i` counts the rounds.
fn cost_of_commits(first: &str, round: &str, last: &str) -> Option<Cost> {
    let uml = Uml::new(64 * MIB)?;
    let said = uml.run(&format!(
        "{mount}cd /mnt/home\n{first}\nsync\nsleep {COMMIT}\n\
         count() {{ awk '{{print $5 - $16, $16, $7}}' /sys/block/ubda/stat; }}\n\
         before=$(count)\nend=$(($(date +%s) + {seconds}))\ni=0\n\
         while [ $(date +%s) -lt $end ]; do\n\
         i=$((i + 1)); {round}\ndone\n{last}\n\
         echo \"counted: $before $(count) $i\"\ncd /\n{END}",
        mount = mount_home(program(), &format!("--commit {COMMIT}")),
        seconds = COMMIT * COMMITS,
    ));
    let numbers = said.split("counted: ").nth(1).unwrap();
    let numbers: Vec<u64> = numbers
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [before @ .., rounds] = &numbers[..] else {
        panic!("{said}")
    };
    let grown = |at: usize| before[at + 3] - before[at];
    let cost = Cost {
        rounds: *rounds,
        writes: grown(0),
        flushes: grown(1),
        sectors: grown(2),
    };
    println!("{COMMITS} commits: {cost:?}");
    let happened = cost.rounds > COMMITS && cost.flushes > 0;
    assert!(happened, "nothing happened: {said}");
    Some(cost)
}

/// What reaches the stick until it can be pulled, beside a copy that no home keeps anything about.
#[test]
fn a_tree_costs_the_stick_little_more_than_a_bare_copy() {
    let Some(uml) = Uml::new(128 * MIB) else {
        return;
    };
    let tree = uml.file("tree");
    for number in 0..1500 {
        let dir = tree.join(format!("lib{}", number % 40));
        fs::create_dir_all(&dir).unwrap();
        let content = vec![b'x'; number * 7919 % 16_000];
        fs::write(dir.join(format!("source_{number}.c")), content).unwrap();
    }
    let said = uml.run(&format!(
        "written() {{ sync; awk '{{print $7}}' /sys/block/ubda/stat; }}\n\
         before=$(written)\ncp -r {tree} /mnt/stick/bare\nbare=$(($(written) - before))\n\
         {mount}before=$(written)\ncp -r {tree} /mnt/home/kept\n{END}\
         echo \"sectors: $bare $(($(written) - before))\"\n",
        tree = tree.display(),
        mount = mount_home(program(), ""),
    ));
    let numbers = said.split("sectors: ").nth(1).unwrap();
    let mut numbers = numbers
        .split_whitespace()
        .map_while(|n| n.parse::<u64>().ok());
    let (bare, kept) = (numbers.next().unwrap(), numbers.next().unwrap());
    println!("{bare} sectors bare, {kept} in a home");
    assert!(bare > 20_000, "the copy is not there: {said}");
    assert!(kept * 10 <= bare * 13, "{kept} sectors for {bare}");
}

#[test]
fn fsck_repairs_the_filesystem_of_the_stick_first() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    let (program, fsck) = (program().display(), "fsck --json");
    // Byte 65 of the boot sector of FAT32 says that it was not unmounted.
    let said = uml.run(&format!(
        "{program} create /mnt/stick/pershome\numount /mnt/stick\n\
         printf '\\001' | dd of=/dev/ubda bs=1 seek=65 conv=notrunc\n\
         {program} {fsck} /dev/ubda || [ $? = 4 ]\n\
         {program} {fsck} --repair /dev/ubda || [ $? = 1 ]\n\
         {program} {fsck} /dev/ubda\nmount -t vfat /dev/ubda /mnt/stick\n\
         if {program} {fsck} /dev/ubda; then exit 1; fi\n"
    ));
    let found: Vec<&str> = said.split("\"filesystem\":\"").skip(1).collect();
    let states = found.iter().map(|rest| rest.split('"').next().unwrap());
    assert_eq!(
        states.collect::<Vec<_>>(),
        ["dirty", "repaired", "clean"],
        "{said}"
    );
    assert!(said.contains("unmount it before"), "{said}");
}

#[test]
fn fsck_finds_what_the_flag_of_the_stick_does_not_tell() {
    let Some(uml) = Uml::new(64 * MIB) else {
        return;
    };
    uml.run(&format!(
        "{} create /mnt/stick/pershome\ncd /mnt/stick\necho one > ONE\necho other > OTHER\n",
        program().display()
    ));
    cross(&uml.file("medium"), *b"ONE        ", *b"OTHER      ");
    let fsck = format!("{} fsck --json", program().display());
    let said = uml.run(&format!(
        "umount /mnt/stick\n{fsck} /dev/ubda || [ $? = 4 ]\n\
         {fsck} --repair /dev/ubda || [ $? = 1 ]\n{fsck} /dev/ubda\n\
         mount -t vfat /dev/ubda /mnt/stick\n"
    ));
    let found: Vec<&str> = said.split("\"filesystem\":\"").skip(1).collect();
    let states = found.iter().map(|rest| rest.split('"').next().unwrap());
    assert_eq!(
        states.collect::<Vec<_>>(),
        ["wrong", "repaired", "clean"],
        "{said}"
    );
    assert!(!uml.fsck());
}

/// Lets a file in the root directory of FAT32 begin with the first cluster of another one.
fn cross(medium: &Path, one: [u8; 11], other: [u8; 11]) {
    let file = File::options().read(true).write(true).open(medium).unwrap();
    let mut boot = [0; 512];
    file.read_exact_at(&mut boot, 0).unwrap();
    let half = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    // The root directory is the first thing behind the tables.
    let root = (half(14) + u64::from(boot[16]) * half(36)) * 512;
    let mut entries = [0; 512];
    file.read_exact_at(&mut entries, root).unwrap();
    let find = |name: [u8; 11]| {
        let mut entries = entries.chunks_exact(32);
        entries.position(|entry| entry[..11] == name).unwrap() * 32
    };
    let (one, other) = (find(one), find(other));
    for field in [20..22, 26..28] {
        let bytes = &entries[one + field.start..one + field.end];
        let at = root + (other + field.start) as u64;
        file.write_all_at(bytes, at).unwrap();
    }
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
