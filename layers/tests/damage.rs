//! What a manifest finds, and what it withstands.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod common;

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use common::Copy;
use proptest::prelude::*;
use wendy_layers::manifest::{Fault, verify};
use wendy_layers::testing::{Mounted, tmpfs};
use wendy_layers::{Error, Unattended};

fn small_tree(on: &Mounted) -> Copy {
    let upper = on.path("upper");
    fs::create_dir_all(upper.join("etc/deep/er")).unwrap();
    for name in [
        "etc/motd",
        "etc/deep/one",
        "etc/deep/er/two",
        "etc/deep/er/three",
    ] {
        fs::write(upper.join(name), vec![b'x'; 5000]).unwrap();
    }
    std::os::unix::fs::symlink("motd", upper.join("etc/link")).unwrap();
    let copy = Copy::new(&upper, on, "copy");
    copy.second(&copy.first());
    copy
}

fn faults(copy: &Copy) -> Vec<(String, Fault)> {
    let damage = copy.verify().damage;
    damage
        .into_iter()
        .map(|d| (d.path.as_path().display().to_string(), d.fault))
        .collect()
}

#[test]
fn an_intact_tree_has_no_damage() {
    let on = tmpfs().unwrap();
    assert_eq!(faults(&small_tree(&on)), []);
}

#[test]
fn each_damaged_entry_is_named() {
    type Harm = fn(&Path);
    let cases: [(Harm, &str, Fault); 6] = [
        (
            |top| flip(&top.join("etc/deep/one")),
            "etc/deep/one",
            Fault::Changed,
        ),
        (
            |top| fs::remove_file(top.join("etc/deep/er/two")).unwrap(),
            "etc/deep/er/two",
            Fault::Missing,
        ),
        (
            |top| swap(&top.join("etc/link"), "shadow"),
            "etc/link",
            Fault::Changed,
        ),
        (
            |top| {
                fs::set_permissions(top.join("etc/motd"), fs::Permissions::from_mode(0o666))
                    .unwrap()
            },
            "etc/motd",
            Fault::Changed,
        ),
        (
            |top| fs::set_permissions(top, fs::Permissions::from_mode(0o777)).unwrap(),
            "",
            Fault::Changed,
        ),
        (
            |top| rename_to_link(&top.join("etc/deep/er/three")),
            "etc/deep/er/three",
            Fault::Changed,
        ),
    ];
    for (harm, path, fault) in cases {
        let on = tmpfs().unwrap();
        let copy = small_tree(&on);
        harm(&copy.dest_path);
        let found = faults(&copy);
        assert!(
            found.contains(&(path.to_owned(), fault)),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn an_entry_that_was_not_saved_is_named() {
    let on = tmpfs().unwrap();
    let copy = small_tree(&on);
    fs::write(copy.dest_path.join("etc/deep/planted"), "").unwrap();
    assert!(faults(&copy).contains(&("etc/deep/planted".into(), Fault::Unexpected)));
}

#[test]
fn a_directory_swapped_for_a_link_is_not_followed() {
    let on = tmpfs().unwrap();
    let copy = small_tree(&on);
    fs::rename(copy.dest_path.join("etc/deep"), on.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(on.path("elsewhere"), copy.dest_path.join("etc/deep")).unwrap();
    let found = faults(&copy);
    assert!(
        found.contains(&("etc/deep/one".into(), Fault::Missing)),
        "{found:?}"
    );
}

/// One bit, without a trace in the file's times.
fn flip(path: &Path) {
    let times = fs::metadata(path).unwrap().modified().unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(b"y", 4321).unwrap();
    file.set_modified(times).unwrap();
}

fn swap(path: &Path, target: &str) {
    fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

fn rename_to_link(path: &Path) {
    fs::rename(path, path.with_extension("moved")).unwrap();
    std::os::unix::fs::symlink("three.moved", path).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_spoiled_manifest_is_refused(at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let on = tmpfs().unwrap();
        let copy = small_tree(&on);
        let mut bytes = fs::read(on.path("copy.manifest")).unwrap();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= with }
        let result = verify(copy.dest.as_fd(), &bytes[..], &Unattended);
        if cut || with != 0 {
            prop_assert!(matches!(result, Err(Error::Manifest { .. })), "{result:?}");
        }
    }

    #[test]
    fn noise_is_no_manifest(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let top = File::open("/proc/self/fd").unwrap();
        bytes.splice(0..0, *b"wendymf1");
        prop_assert!(verify(top.as_fd(), &bytes[..], &Unattended).is_err());
    }
}
