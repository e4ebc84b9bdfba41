//! Stores in a file beside others.

use std::fs;

use wendy_store::Stack;
use wendyd::{
    engine::{
        Error,
        prepare::{Mode, Target},
    },
    stores::OpenStore,
};

use crate::{SIZE, check_layout, common::*};

#[test]
fn a_stick_full_of_files_carries_a_store_in_a_file() {
    if !is_root() {
        return;
    }
    for fs_type in ["ext4", "btrfs"] {
        let stick = Stick::formatted(SIZE, fs_type);
        fs::write(
            path_of(&mounted(stick.node(), fs_type)).join("holiday.jpg"),
            "beach",
        )
        .unwrap();
        let plan = plan(&stick.target(), Mode::Loopback).unwrap();
        assert!(!plan.destroys());
        prepare_as(&stick.target(), Mode::Loopback).unwrap();
        let store = OpenStore::open(location(stick.node(), fs_type)).unwrap();
        assert!(store.in_image() && store.record().image.is_none());
        check_layout(&path_of(&store.root()));
        drop(store);
        let outer = mounted(stick.node(), fs_type);
        let marker = fs::read_to_string(path_of(&outer).join("casper/.info")).unwrap();
        assert!(
            marker.contains("image=persistence") && marker.contains("name=My stick"),
            "{marker}"
        );
        assert_eq!(
            fs::read_to_string(path_of(&outer).join("holiday.jpg")).unwrap(),
            "beach"
        );
        assert_eq!(
            fs::metadata(path_of(&outer).join("persistence"))
                .unwrap()
                .len(),
            plan.place.size
        );
    }
}

#[test]
fn an_image_is_replaced_only_after_it_was_named_as_lost() {
    if !is_root() {
        return;
    }
    let stick = Stick::formatted(SIZE, "ext4");
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    let plan = plan(&stick.target(), Mode::Loopback).unwrap();
    assert_eq!(
        plan.lost.iter().map(|piece| piece.kind).collect::<Vec<_>>(),
        ["image"]
    );
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    OpenStore::open(location(stick.node(), "ext4")).unwrap();
}

#[test]
fn no_image_takes_the_place_of_another_store() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(SIZE);
    let partition = stick.partition(1);
    let before = partition.store().record().clone();
    let refused = plan(&target(partition.node(), Some(1)), Mode::Loopback);
    assert!(
        matches!(refused, Err(Error::NotSupported(_))),
        "{refused:?}"
    );
    assert_eq!(*partition.store().record(), before);

    let stick = Stick::formatted(SIZE, "ext4");
    prepare_as(&stick.target(), Mode::Loopback).unwrap();
    let of_casper = Target {
        stack: Some(Stack::Casper),
        ..stick.target()
    };
    let refused = plan(&of_casper, Mode::Loopback);
    assert!(
        matches!(refused, Err(Error::NotSupported(_))),
        "{refused:?}"
    );
    let outer = mounted(stick.node(), "ext4");
    fs::remove_file(path_of(&outer).join("persistence")).unwrap();
    drop(outer);
    prepare_as(&of_casper, Mode::Loopback).unwrap();
    OpenStore::open(location(stick.node(), "ext4")).unwrap();
}
