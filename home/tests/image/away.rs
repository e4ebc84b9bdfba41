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
    succeed_in_unmounting(&before.shown());
    let gone = shown.replace(mounted(&late)).unwrap_err();
    assert!(gone.to_string().contains("No such file"), "{gone}");
    assert!(e2fsck(&after.image()));
}

fn succeed_in_unmounting(place: &Path) {
    let output = command("umount").arg(place).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
