mod image;

use wendy_sys::{DevNum, block::Identity};

use super::*;
use crate::engine::prepare::{
    found::{Content, PartContent},
    place::{ALIGN, MIN_STORE},
    table::{Entry, Table, TableKind},
};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn request(mode: Mode) -> PrepareRequest {
    PrepareRequest {
        mode,
        name: "My stick".to_owned(),
        size: None,
        filesystem: None,
        token: None,
    }
}

fn found(size: u64, part: Part) -> Found {
    Found {
        device: "/dev/sdx".to_owned(),
        identity: Identity {
            diskseq: 7,
            devnum: DevNum::new(1),
            size,
        },
        sector: 512,
        read_only: false,
        part,
        content: None,
        image_end: 0,
        known_end: 0,
        room: None,
    }
}

fn blank(size: u64) -> Found {
    found(
        size,
        Part::Disk {
            table: None,
            partitions: Vec::new(),
        },
    )
}

fn content(fs_type: &str) -> Content {
    Content {
        size: GIB,
        fs_type: fs_type.to_owned(),
        ..Content::default()
    }
}

/// A live image of one GiB, written to a disk of eight.
fn written(kind: TableKind, last_usable: Option<u64>) -> Found {
    let entry = Entry {
        number: 1,
        start: 0,
        size: GIB,
        name: String::new(),
    };
    let partition = PartContent {
        number: 1,
        name: String::new(),
        size: GIB,
        content: None,
    };
    let table = Table {
        kind,
        entries: vec![entry],
        last_usable,
    };
    let part = Part::Disk {
        table: Some(table),
        partitions: vec![partition],
    };
    Found {
        content: Some(content("iso9660")),
        image_end: GIB - MIB,
        ..found(8 * GIB, part)
    }
}

fn plan(found: &Found, mode: Mode) -> Result<PreparePlan> {
    PreparePlan::make(found, Some(Stack::Casper), &request(mode))
}

#[test]
fn a_blank_disk_loses_nothing() {
    let plan = plan(&blank(8 * GIB), Mode::Device).unwrap();
    assert!(!plan.destroys());
    assert_eq!((plan.place.start, plan.place.size % ALIGN), (ALIGN, 0));
    assert!(plan.place.start + plan.place.size + MIB <= 8 * GIB);
    assert_eq!(
        (plan.place.label, plan.place.partition_name),
        ("writable", "persistence")
    );
    let made: Vec<_> = plan.made().iter().map(|piece| piece.kind).collect();
    assert_eq!(
        made,
        ["partition-table", "partition", "filesystem", "store"]
    );
}

#[test]
fn everything_on_the_disk_is_listed_as_lost() {
    let mut disk = written(TableKind::Dos, None);
    let Part::Disk { partitions, .. } = &mut disk.part else {
        unreachable!()
    };
    let sessions = [("store", "Old stick"), ("session", "Biofuel report")];
    let known = sessions.map(|(kind, name)| Piece {
        kind,
        name: name.to_owned(),
        ..Piece::default()
    });
    partitions[0].content = Some(Content {
        known: known.to_vec(),
        used: Some(5),
        ..content("ext4")
    });
    let plan = plan(&disk, Mode::Device).unwrap();
    let lost: Vec<_> = plan
        .lost
        .iter()
        .map(|piece| (piece.kind, piece.name.as_str()))
        .collect();
    let expected = [
        ("partition-table", ""),
        ("filesystem", ""),
        ("partition", "1"),
        ("filesystem", ""),
        ("store", "Old stick"),
        ("session", "Biofuel report"),
    ];
    assert_eq!(lost, expected);
    assert_eq!(plan.lost[3].used, Some(5));
}

#[test]
fn bytes_that_nobody_recognises_are_data() {
    let disk = Found {
        content: Some(content("")),
        ..blank(8 * GIB)
    };
    assert_eq!(plan(&disk, Mode::Device).unwrap().lost[0].kind, "data");
}

#[test]
fn free_space_begins_behind_the_image_and_takes_nothing() {
    for (kind, last_usable) in [(TableKind::Dos, None), (TableKind::Gpt, Some(GIB + 5))] {
        let plan = plan(&written(kind, last_usable), Mode::FreeSpace).unwrap();
        assert!(plan.lost.is_empty());
        assert!(plan.place.start >= GIB && plan.place.start.is_multiple_of(ALIGN));
        assert!(plan.place.start + plan.place.size <= 8 * GIB - MIB);
        if last_usable.is_some() {
            // The second copy of the image's own table stays as well.
            assert!(plan.place.start > GIB + 5 + 33 * 512);
        }
    }
}

#[test]
fn the_label_pleases_the_running_stack_where_a_partition_has_no_name() {
    let cases = [
        (TableKind::Gpt, Stack::LiveBoot, "writable", "persistence"),
        (TableKind::Gpt, Stack::Casper, "writable", "persistence"),
        (TableKind::Dos, Stack::LiveBoot, "persistence", ""),
        (TableKind::Dos, Stack::Casper, "writable", ""),
    ];
    for (table, stack, label, name) in cases {
        let part = Part::Partition {
            number: 2,
            start: GIB,
            table,
        };
        let plan =
            PreparePlan::make(&found(GIB, part), Some(stack), &request(Mode::Partition)).unwrap();
        assert_eq!(
            (plan.place.label, plan.place.partition_name),
            (label, name),
            "{stack}"
        );
        assert_eq!((plan.place.start, plan.place.size), (GIB, GIB));
    }
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let partition = found(
        GIB,
        Part::Partition {
            number: 1,
            start: 0,
            table: TableKind::Gpt,
        },
    );
    assert!(matches!(
        plan(&partition, Mode::Device),
        Err(Error::NotSupported(_))
    ));
    assert!(matches!(
        plan(&partition, Mode::FreeSpace),
        Err(Error::NotSupported(_))
    ));
    assert!(matches!(
        plan(&blank(GIB), Mode::Partition),
        Err(Error::NotSupported(_))
    ));
    assert!(matches!(
        plan(&blank(GIB), Mode::FreeSpace),
        Err(Error::NotSupported(_))
    ));
    assert!(matches!(
        plan(&blank(GIB), Mode::Loopback),
        Err(Error::NotSupported(_))
    ));
    assert!(matches!(
        plan(&blank(0), Mode::Device),
        Err(Error::TooSmall {
            have: 0,
            need: MIN_STORE,
            ..
        })
    ));
    let locked = Found {
        read_only: true,
        ..blank(GIB)
    };
    assert!(matches!(
        plan(&locked, Mode::Device),
        Err(Error::ReadOnly(_))
    ));
}

#[test]
fn sizes_and_names_are_checked() {
    let with = |change: fn(&mut PrepareRequest)| {
        let mut asked = request(Mode::Device);
        change(&mut asked);
        PreparePlan::make(&blank(GIB), None, &asked)
    };
    assert!(matches!(
        with(|asked| asked.size = Some(0)),
        Err(Error::TooSmall { .. })
    ));
    assert!(matches!(
        with(|asked| asked.size = Some(u64::MAX)),
        Err(Error::TooSmall { .. })
    ));
    assert!(matches!(
        with(|asked| asked.filesystem = Some("vfat".to_owned())),
        Err(Error::NotSupported(_))
    ));
    for name in ["", "a\nb", " a", "\u{202E}"] {
        let asked = PrepareRequest {
            name: name.to_owned(),
            ..request(Mode::Device)
        };
        assert!(
            matches!(
                PreparePlan::make(&blank(GIB), None, &asked),
                Err(Error::BadName(_))
            ),
            "{name:?}"
        );
    }
    assert_eq!(
        with(|asked| asked.size = Some(100 * MIB))
            .unwrap()
            .place
            .size,
        100 * MIB
    );
}
