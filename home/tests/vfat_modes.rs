//! Homes kept as images over the real vfat driver, in a user-mode Linux, and converting them.
//!
//! `WENDY_HOME_TRIALS` sets how often the plug is pulled (default 3).

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use common::PROGRAM;
use common::uml::{Uml, mount_home};
use std::fs;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const HOME: &str = "/mnt/stick/pershome";
const END: &str = "umount /mnt/home\nwait $!\n";

/// Everything lstat(2) says about what is in the home, and its content.
const LIST: &str = "list() { (cd /mnt/home
    find . -type d -printf '%P %y %m %U %G %T@\\n' -o -printf '%P %y %m %U %G %n %s %T@ %l\\n' | sort
    find . -type f | sort | xargs -d '\\n' md5sum); }\n";

const FILL: &str = "cd /mnt/home; mkdir -p Case case deep/er
    echo upper > Case/file; echo lower > case/file; ln Case/file deep/er/hard; ln -s ../x link
    mkfifo pipe; chmod 4711 case/file; chown 7:8 deep; head -c 2000000 /dev/urandom > noise
    for n in $(seq 40); do echo $n > deep/$n; done
    touch -d '2001-02-03 04:05:06.123456789' Case/file; cd /\n";

fn mount() -> String {
    mount_home(PROGRAM.as_ref(), "--uid 1000 --gid 1000")
}

#[test]
fn an_image_on_fat_is_written_out_and_ends_below_four_gibibytes() {
    let Some(uml) = Uml::new(256 * MIB) else {
        return;
    };
    let said = uml.run(&format!(
        "mkdir {HOME}
         {PROGRAM} create --mode image --size 4GiB {HOME} && exit 1
         {PROGRAM} create --mode image --size 400M {HOME} && exit 1
         [ -z \"$(ls -A {HOME})\" ]
         {PROGRAM} create --mode image --size 48MiB {HOME}
         [ $(stat -c '%b' {HOME}/home.img) -ge 98304 ]
         {mount}{FILL}{LIST}list > {before}
         grep ' /mnt/home ext4 .*nosuid,nodev' /proc/mounts\n{END}
         {mount}list > {after}\n{END}
         {PROGRAM} fsck {HOME}\n",
        mount = mount(),
        before = uml.file("before").display(),
        after = uml.file("after").display(),
    ));
    assert!(
        said.contains("FAT32 holds no file above 4294967295 bytes (4 GiB - 1)"),
        "{said}"
    );
    assert!(said.contains("not enough room on the stick"), "{said}");
    let read = |name: &str| fs::read_to_string(uml.file(name)).unwrap();
    assert!(read("before").contains("deep/er/hard f 644 0 0 2 6 981173106.1234567890"));
    assert_eq!(read("before"), read("after"));
    assert!(!uml.fsck(), "the FAT was left dirty");
}

#[test]
fn a_home_on_fat_is_converted_both_ways() {
    let Some(uml) = Uml::new(256 * MIB) else {
        return;
    };
    uml.run(&format!(
        "{mount}{FILL}{LIST}list > {before}\n{END}
         {PROGRAM} convert --to image --size 48MiB {HOME}
         [ \"$(ls -A {HOME} | sort | tr '\\n' ' ')\" = '.wendy home.img ' ]
         {mount}list > {image}\n{END}
         {PROGRAM} convert --to files {HOME}
         [ $(cat {HOME}/deep/17) = 17 ] && [ ! -e {HOME}/home.img ]
         [ -z \"$(ls -A {HOME}/.wendy/tmp)\" ]
         {mount}list > {files}\n{END}",
        mount = mount(),
        before = uml.file("before").display(),
        image = uml.file("image").display(),
        files = uml.file("files").display(),
    ));
    let read = |name: &str| fs::read_to_string(uml.file(name)).unwrap();
    assert!(read("before").contains("case/file f 4711"));
    assert_eq!(read("image"), read("before"));
    assert_eq!(read("files"), read("before"));
    assert!(!uml.fsck(), "the FAT was left dirty");
}

#[test]
fn one_whole_home_survives_a_plug_pulled_while_it_is_converted() {
    let Some(uml) = Uml::new(192 * MIB) else {
        return;
    };
    let trials: u64 = std::env::var("WENDY_HOME_TRIALS").map_or(3, |count| count.parse().unwrap());
    let (before, after) = (uml.file("before"), uml.file("after"));
    uml.run(&format!(
        "{}{FILL}{LIST}list > {}\n{END}",
        mount(),
        before.display()
    ));
    let expected = fs::read_to_string(&before).unwrap();
    let mut repaired = 0;
    for trial in 0..trials {
        let begun = uml.file("begun");
        let _ = fs::remove_file(&begun);
        let mut running = uml.start(&format!(
            ": > {}
             while :; do
                 {PROGRAM} convert --to image --size 24MiB {HOME}; {PROGRAM} convert --to files {HOME}
             done\n",
            begun.display()
        ));
        running.wait_until("the work begins", || begun.exists());
        // Spread over a turn, which takes a few seconds.
        std::thread::sleep(Duration::from_millis(
            150 + trial.wrapping_mul(1_234_577) % 6_000,
        ));
        running.pull();
        repaired += u64::from(uml.fsck());
        let said = uml.run(&format!(
            "{}{LIST}list > {}\n{END}",
            mount(),
            after.display()
        ));
        let found = fs::read_to_string(&after).unwrap();
        assert_eq!(found, expected, "trial {trial}: {said}");
    }
    println!("{trials} plugs pulled, {repaired} times FAT needed repair");
}
