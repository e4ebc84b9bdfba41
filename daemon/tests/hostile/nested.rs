//! Stores whose marker leads elsewhere: out of the medium, to something that is no file, or on and
//! on.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode as Bits, makedev, mknodat};
use wendyd::{
    engine::{Error, Result, prepare::Mode},
    stores::OpenStore,
};

use crate::common::*;

/// A stick with files of its own, and a store in one of them.
fn stick_with_image() -> Stick {
    let stick = Stick::formatted(128 * MIB, "ext4");
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    stick
}

fn open(stick: &Stick) -> Result<OpenStore> {
    OpenStore::open(location(stick.node(), "ext4"))
}

/// Works on the files of the stick.
fn with_files<T>(stick: &Stick, act: impl FnOnce(&Path) -> T) -> T {
    act(&path_of(&mounted(stick.node(), "ext4")))
}

fn replace_image(stick: &Stick, make: impl FnOnce(&Path)) {
    with_files(stick, |root| {
        let image = root.join("persistence");
        fs::rename(&image, root.join("kept")).unwrap();
        make(&image);
    });
}

/// Puts something in the place of an image.
type Maker<'a> = &'a dyn Fn(&Path);

#[test]
fn an_image_that_is_no_file_of_the_medium_is_not_opened() {
    if !is_root() {
        return;
    }
    let outside = tempfile::NamedTempFile::new().unwrap();
    let node = |path: &Path, kind, number| {
        mknodat(CWD, path, kind, Bits::from(0o666), number).unwrap();
    };
    let makers: [(&str, Maker<'_>); 6] = [
        ("a link out", &|path| symlink(outside.path(), path).unwrap()),
        ("a link within", &|path| symlink("kept", path).unwrap()),
        ("a directory", &|path| fs::create_dir(path).unwrap()),
        ("a fifo", &|path| node(path, FileType::Fifo, 0)),
        ("a device", &|path| {
            node(path, FileType::BlockDevice, makedev(7, 0));
        }),
        ("no filesystem", &|path| fs::write(path, "short").unwrap()),
    ];
    for (what, make) in makers {
        let stick = stick_with_image();
        replace_image(&stick, make);
        let error = open(&stick).unwrap_err();
        let failure = wendyd::jobs::Failure::from(error);
        assert!(!failure.message.is_empty(), "{what}");
        check_unused(stick.node());
    }
}

#[test]
fn a_marker_cannot_name_a_path() {
    if !is_root() {
        return;
    }
    let stick = stick_with_image();
    let marker = |root: &Path| root.join("casper/.info");
    let good = with_files(&stick, |root| fs::read_to_string(marker(root)).unwrap());
    for path in ["../../etc/passwd", "/dev/loop0", "casper/x", "..", "."] {
        let bad = good.replace("image=persistence", &format!("image={path}"));
        with_files(&stick, |root| fs::write(marker(root), &bad).unwrap());
        let refused = open(&stick);
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    }
}

#[test]
fn a_store_in_a_store_ends_after_the_first() {
    if !is_root() {
        return;
    }
    let stick = stick_with_image();
    let inner = open(&stick).unwrap();
    let root = path_of(&inner.root());
    let marker = fs::read_to_string(root.join("casper/.info")).unwrap();
    fs::write(root.join("casper/.info"), marker + "image=persistence\n").unwrap();
    fs::write(root.join("persistence"), "not looked at").unwrap();
    drop(inner);
    let again = open(&stick).unwrap();
    assert!(again.in_image());
    Live::new().save(&again, &named("One")).unwrap();
    assert!(path_of(&again.root()).join("persistence").exists());
}

/// What has the name of the image is neither followed nor lost without a word.
#[test]
fn a_prepare_follows_no_link_that_has_the_name_of_the_image() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let outside: PathBuf = directory.path().join("letter");
    fs::write(&outside, "dear ann").unwrap();
    let stick = Stick::formatted(128 * MIB, "ext4");
    with_files(&stick, |root| {
        for name in ["persistence", ".persistence.new", "casper"] {
            symlink(&outside, root.join(name)).unwrap();
        }
    });
    let result = prepare_as(&stick.target(), Mode::Loopback);
    assert_eq!(fs::read_to_string(&outside).unwrap(), "dear ann");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(result.is_err(), "a link in the place of a directory");
    check_filesystem(stick.node());
}
