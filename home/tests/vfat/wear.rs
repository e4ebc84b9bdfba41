//! What a home writes to the stick, counted on the block device.

use crate::common::uml::{Uml, mount_home};
use crate::{END, MIB, program};
use std::fs;

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
    // In each commit one of the log, those of the ends of ten files, and of their entries and both FATs two
    // blocks each. How many of them become one write depends on how fast the machine is.
    assert!(cost.writes <= COMMITS * 17, "{cost:?}");
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
