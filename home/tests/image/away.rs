//! A medium that goes away and comes back while its image is shown.

use crate::common::command;
use crate::{Stick, e2fsck};
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use wendy_home::image::check::Thoroughness;
use wendy_home::image::serve::Shown;
use wendy_home::image::{Image, MountedImage};
use wendy_home::medium::directory::DirectoryMedium;

#[test]
fn an_image_goes_on_with_what_was_synced_when_its_medium_comes_back() {
    let (Some(before), Some(after), Some(late)) = (Stick::new(), Stick::new(), Stick::new()) else {
        return;
    };
    before.must_create();
    let mounted = |stick: &Stick| {
        let medium = DirectoryMedium::open(&stick.home()).unwrap();
        let image = Image::open(&medium, false).unwrap();
        image.check(Thoroughness::AsNeeded).unwrap();
        MountedImage::of(&image).unwrap()
    };
    let shown = Shown::at(&before.shown(), mounted(&before)).unwrap();
    let file = |name: &str| before.shown().join(name);
    let kept = fs::File::create(file("kept")).unwrap();
    kept.write_all_at(b"text", 0).unwrap();
    kept.sync_all().unwrap();
    // What is on the stick when it is pulled.
    for stick in [&after, &late] {
        fs::create_dir(stick.home()).unwrap();
        fs::copy(before.image(), stick.image()).unwrap();
    }
    fs::write(file("lost"), "text").unwrap();
    shown.shut_down().unwrap();
    let is_eio = |error: std::io::Error| error.raw_os_error() == Some(libc::EIO);
    assert!(kept.write_all_at(b"more", 0).is_err_and(is_eio));
    assert!(fs::read(file("kept")).is_err_and(is_eio));
    assert!(fs::write(file("new"), "").is_err_and(is_eio));

    shown.replace(mounted(&after)).unwrap();
    assert_eq!(fs::read(file("kept")).unwrap(), b"text");
    assert!(!file("lost").exists());
    fs::write(file("later"), "later").unwrap();
    assert!(
        kept.sync_all().is_err(),
        "a file of before came back to life"
    );
    must("umount", &[text(&before.shown())]);
    let gone = shown.replace(mounted(&late)).unwrap_err();
    assert!(gone.to_string().contains("No such file"), "{gone}");
    assert!(e2fsck(&after.image()));
}

/// Whoever unmounted the home has the directory below, on a filesystem that serves everybody.
#[test]
fn only_the_image_is_shut_down_and_never_what_is_below() {
    let Some(stick) = Stick::new() else { return };
    stick.must_create();
    let (disk, below) = (stick.dir.path().join("disk"), stick.shown());
    must("mkfs.ext4", &["-q", text(&disk), "8M"]);
    must("mount", &["-o", "loop", text(&disk), text(&below)]);
    let medium = DirectoryMedium::open(&stick.home()).unwrap();
    let image = Image::open(&medium, false).unwrap();
    let shown = Shown::at(&below, MountedImage::of(&image).unwrap()).unwrap();
    must("umount", &[text(&below)]);
    let refused = shown.shut_down();
    let written = fs::write(below.join("file"), "text");
    must("umount", &[text(&below)]);
    assert!(refused.unwrap_err().to_string().contains("No such file"));
    written.unwrap();
}

fn must(program: &str, arguments: &[&str]) {
    let output = command(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
