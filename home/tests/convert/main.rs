//! From files to an image and back: nothing is lost, whatever happens.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../common/mod.rs"]
mod common;
mod interrupted;
mod stick;

use common::{Mounted, command, wendy_home};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use stick::{Stick, names, sh};

/// One of each thing a home can hold.
fn fill(home: &Path) {
    sh(
        home,
        "mkdir -p deep/er Case case empty
         echo upper > Case/file; echo lower > case/file; ln Case/file deep/er/hard
         ln -s ../nowhere link; mkfifo -m 620 pipe; mknod -m 600 null c 1 3
         chown 1000:1000 Case case Case/file; chown -h 33:34 link; chown 7:8 case/file
         chmod 4750 case/file; chmod 3777 deep; chmod 000 empty
         touch -h -d '1969-12-31 23:59:58.25' link; touch -d '2001-02-03 04:05:06.123456789' Case/file
         touch -d '1901-12-14 00:00:00.5' empty
         head -c 300000 /dev/urandom > noise; : > nothing
         printf x > holes; printf y | dd of=holes bs=1 seek=2M conv=notrunc status=none; truncate -s 7M holes",
    );
    let odd = home.join(OsStr::from_bytes(b"bad\xff: name."));
    fs::write(odd, "odd").unwrap();
    std::os::unix::net::UnixListener::bind(home.join("socket")).unwrap();
    let long = vec![b'v'; 60_000];
    for (path, name, value) in [
        ("Case/file", "user.short", &b"1"[..]),
        ("noise", "user.long", &long),
        ("deep", "trusted.of a directory", b"\0\xff"),
    ] {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(home.join(path), name, value, flags).unwrap();
    }
    sh(home, "touch -d '2020-01-01 00:00:00.000000001' .");
}

#[test]
fn everything_a_home_holds_survives_both_ways() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(fill);
    let before = stick.snapshot();
    assert_eq!(before.len(), 17);
    stick.must_convert("image");
    stick.assert_tidy("image");
    stick.assert_holds(&before, "");
    let image = stick.home.join("home.img");
    let check = command("e2fsck").arg("-fn").arg(&image).output().unwrap();
    assert!(check.status.success(), "{check:?}");
    stick.must_convert("files");
    stick.assert_tidy("files");
    stick.assert_holds(&before, "");
    let noise = fs::read(stick.home.join("noise")).unwrap();
    assert_eq!(noise.len(), 300_000, "the files are readable elsewhere");
}

#[test]
fn what_tells_the_stick_from_others_stays_both_ways() {
    let Some(stick) = Stick::new() else { return };
    let secret = stick.home.join(".wendy/secret");
    fs::write(&secret, [7; 32]).unwrap();
    for mode in ["image", "files"] {
        stick.must_convert(mode);
        assert_eq!(fs::read(&secret).unwrap(), [7; 32], "{mode}");
    }
}

#[test]
fn holes_take_no_room_where_there_can_be_some() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| {
        sh(
            home,
            "truncate -s 300M holes; printf x | dd of=holes bs=1 seek=100M conv=notrunc status=none",
        );
    });
    stick.must_convert("image");
    let allocated = |home: &Path| fs::metadata(home.join("holes")).unwrap().blocks() * 512;
    assert!(stick.shown(allocated) <= 128 << 10);
    stick.must_convert("files");
    assert_eq!(
        fs::metadata(stick.home.join("holes")).unwrap().len(),
        (100 << 20) + (64 << 10)
    );
}

#[test]
fn reading_a_file_with_a_hole_at_its_end_is_no_edit() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| sh(home, "echo > holes"));
    stick.shown(|home| {
        nix::unistd::truncate(&home.join("holes"), 1 << 20).unwrap();
        sh(home, "touch -h -d '2001-02-03' holes");
    });
    assert_eq!(fs::metadata(stick.home.join("holes")).unwrap().len(), 1);
    // More than the two seconds to which FAT keeps times.
    std::thread::sleep(std::time::Duration::from_secs(3));
    stick.shown(|home| sh(home, "cat holes > /dev/null"));
    let modified = stick.shown(|home| fs::metadata(home.join("holes")).unwrap().modified());
    let year = std::time::Duration::from_secs(981_158_400);
    let since = modified
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(
        since.abs_diff(year) < std::time::Duration::from_secs(86_400),
        "{since:?}"
    );
}

#[test]
fn access_control_lists_give_nothing_away_in_files_and_hold_again_in_an_image() {
    let Some(stick) = Stick::new() else { return };
    stick.must_convert("image");
    stick.shown(|home| {
        sh(
            home,
            "echo > file; chmod 600 file; setfacl -m u:33:rw file
             cp -a file shut
             mkdir dir; setfacl -m u:33:rx,d:u:33:rx,d:o::- dir",
        );
    });
    let mode = |home: &Path, name: &str| home.join(name).metadata().unwrap().mode() & 0o777;
    let list = |home: &Path, name: &str| {
        let list = command("getfacl")
            .args(["-pcn", name])
            .current_dir(home)
            .output()
            .unwrap();
        String::from_utf8(list.stdout).unwrap()
    };
    let before = stick.shown(|home| {
        assert_eq!(mode(home, "file"), 0o660);
        [list(home, "file"), list(home, "dir")]
    });
    assert!(before.iter().all(|list| list.contains("user:33:r")));

    let said = stick.must_convert("files");
    assert!(!said.contains("Lost"), "{said}");
    stick.shown(|home| {
        assert_eq!(mode(home, "file"), 0o600);
        assert!(!list(home, "file").contains("user:33"));
        sh(home, "chmod 400 shut");
    });
    stick.must_convert("image");
    stick.shown(|home| {
        assert_eq!([list(home, "file"), list(home, "dir")], before);
        assert_eq!(mode(home, "file"), 0o660);
        sh(home, "touch dir/new");
        assert!(list(home, "dir/new").contains("user:33:r"));
        assert!(list(home, "shut").starts_with("user::r--\n"));
    });
}

/// Read through, its hole would take minutes.
#[test]
fn a_hole_of_a_terabyte_is_not_read() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| {
        sh(
            home,
            "printf x > huge; printf y | dd of=huge bs=1 seek=1T conv=notrunc status=none",
        );
    });
    stick.must_convert("image");
    stick.shown(|home| {
        assert_eq!(home.join("huge").metadata().unwrap().len(), (1 << 40) + 1);
        let ends = "head -c 1 huge > ends; tail -c 1 huge >> ends";
        sh(home, ends);
        assert_eq!(fs::read(home.join("ends")).unwrap(), b"xy");
    });
}

#[test]
fn what_an_image_cannot_hold_is_named() {
    use wendy_home::home::{Home, Options};
    use wendy_home::ids::Ino;
    let Some(stick) = Stick::new() else { return };
    let medium = wendy_home::medium::directory::DirectoryMedium::open(&stick.home).unwrap();
    let home = Home::open(medium, Options::new(1000, 1000)).unwrap().0;
    let none = b"\x02\0\0\0no list!";
    home.keep_xattr(Ino::ROOT, wendy_home::acl::DEFAULT, none)
        .unwrap();
    home.close().unwrap();
    let said = stick.must_convert("image");
    assert!(said.contains(": system.posix_acl_default"), "{said}");
}

#[test]
fn a_conversion_that_makes_no_sense_is_refused_and_changes_nothing() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| {
        sh(
            home,
            "head -c 30000000 /dev/urandom > noise; echo > home.img",
        )
    });
    let before = names(&stick.home);
    let said = |arguments: &[&str]| {
        let arguments = [&["convert", stick.home(), "--to"], arguments].concat();
        let output = wendy_home(&arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&["files"]).contains("kept as files already"));
    assert!(said(&["image"]).contains("home.img in the home itself is in the way"));
    stick.shown(|home| sh(home, "rm home.img"));
    let few = said(&["image", "--size", "20M"]);
    assert!(few.contains("too few") && few.contains("needs"), "{few}");
    let many = said(&["image", "--size", "1000T"]);
    assert!(many.contains("not enough room"), "{many}");
    let shown = Mounted::new(&stick.home, &stick.target, &[]);
    assert!(said(&["image"]).contains("in use"));
    shown.end();
    let before: Vec<_> = before
        .into_iter()
        .filter(|name| name != "home.img")
        .collect();
    assert_eq!(names(&stick.home), before);
    stick.must_convert("image");
    stick.shown(|home| sh(home, "echo mine > letter"));
    fs::write(stick.home.join("LETTER"), "a stranger's").unwrap();
    assert!(said(&["files"]).contains("LETTER beside home.img is in the way"));
    stick.assert_in_image_with(&["LETTER"]);
}
