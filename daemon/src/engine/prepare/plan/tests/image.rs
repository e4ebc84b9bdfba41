//! Stores in a file of a filesystem that stays.

use super::*;
use crate::engine::prepare::found::Room;

fn on_filesystem(fs_type: &str, free: u64, old_image: Option<u64>) -> Found {
    let part = Part::Partition {
        number: 1,
        start: MIB,
        table: TableKind::Dos,
    };
    let room = Room {
        fs_type: fs_type.to_owned(),
        free,
        image: "writable",
        old_image,
    };
    Found {
        content: Some(content(fs_type)),
        room: Some(room),
        ..found(8 * GIB, part)
    }
}

#[test]
fn an_image_keeps_to_what_the_filesystem_can_hold() {
    let size = |found: &Found| plan(found, Mode::Loopback).unwrap().place.size;
    assert_eq!(
        size(&on_filesystem("vfat", 6 * GIB, None)),
        (4 * GIB - 1) / 4096 * 4096
    );
    assert_eq!(
        size(&on_filesystem("exfat", 6 * GIB, None)),
        6 * GIB - 4 * MIB
    );
    assert_eq!(size(&on_filesystem("vfat", GIB, None)), GIB - 4 * MIB);
    let too_large = PrepareRequest {
        size: Some(5 * GIB),
        ..request(Mode::Loopback)
    };
    let refused = PreparePlan::make(&on_filesystem("vfat", 6 * GIB, None), None, &too_large);
    assert!(matches!(refused, Err(Error::TooSmall { .. })));
}

#[test]
fn an_image_where_no_stock_image_looks_is_warned_of() {
    for (stack, fs_type, found) in [
        (Stack::Casper, "vfat", true),
        (Stack::Casper, "exfat", false),
        (Stack::LiveBoot, "exfat", true),
        (Stack::LiveBoot, "ntfs3", false),
        (Stack::Dracut, "vfat", false),
    ] {
        let stick = on_filesystem(fs_type, 6 * GIB, None);
        let plan = PreparePlan::make(&stick, Some(stack), &request(Mode::Loopback)).unwrap();
        let warned = plan.warnings.contains(&"not-found-at-boot".to_owned());
        assert_eq!(warned, !found, "{stack} {fs_type}");
    }
}

#[test]
fn an_image_of_the_same_name_is_lost() {
    let plan = plan(&on_filesystem("vfat", 0, Some(GIB)), Mode::Loopback).unwrap();
    assert_eq!(
        (plan.lost[0].kind, plan.lost[0].name.as_str()),
        ("image", "writable")
    );
    assert_eq!(plan.place.size, GIB - 4 * MIB);
}
