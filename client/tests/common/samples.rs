//! A world to show: a live system, one stick with a store, one empty stick, the boot medium.

use wendy_dbus::facts::Facts;
use wendy_dbus::objects::{Device, Job, Session, Store, System};
use wendy_dbus::paths::{self, DevicePath, SessionPath, StorePath};
use wendy_dbus::plans::{Piece, PreparePlan, SavePlan};
use zbus::OwnedObjectPath;

pub const SESSION: SessionPath = SessionPath(0x1111_2222_3333_4444_5555_6666_7777_8888);
pub const STORE: StorePath = StorePath(0xaaaa_bbbb_cccc_dddd_eeee_ffff_0000_1111);

pub fn disk(seq: u64) -> OwnedObjectPath {
    DevicePath {
        disk_seq: seq,
        partition: None,
    }
    .to_path()
}

pub fn partition(seq: u64, number: u32) -> OwnedObjectPath {
    DevicePath {
        disk_seq: seq,
        partition: Some(number),
    }
    .to_path()
}

pub fn system() -> System {
    System {
        version: "0.1.0".into(),
        capabilities: vec!["prepare-device".into(), "save-session".into()],
        live_stack: "live-boot".into(),
        upper_kind: "overlayfs".into(),
        state: "volatile".into(),
        state_reason: String::new(),
        state_message: String::new(),
        running_session: paths::none(),
        running_session_name: String::new(),
        base_image: "5e".repeat(32),
        upper_used: 31_000_000,
        upper_size: 986_000_000,
    }
}

pub fn device(node: &str, seq: u64) -> Device {
    Device {
        device_node: node.into(),
        disk_seq: seq,
        vendor: "SanDisk".into(),
        model: "Ultra".into(),
        serial: "4C530001".into(),
        bus: "usb".into(),
        size: 15_931_539_456,
        removable: true,
        read_only: false,
        system: false,
        boot_medium: false,
        in_use: false,
        in_use_by: vec![],
        filesystem_type: String::new(),
        label: String::new(),
        uuid: String::new(),
        store: paths::none(),
        examined: true,
        parent: paths::none(),
    }
}

pub fn store() -> Store {
    Store {
        name: "My stick".into(),
        device: partition(5, 1),
        kind: "filesystem".into(),
        locked: false,
        foreign: String::new(),
        filesystem: "ext4".into(),
        size: 8_000_000_000,
        free: 6_200_000_000,
        writable: true,
        problem: String::new(),
        default_session: SESSION.to_path(),
        sessions: vec![SESSION.to_path()],
    }
}

pub fn session() -> Session {
    Session {
        name: "Biofuel report".into(),
        stack: "live-boot".into(),
        upper_kind: "overlayfs".into(),
        base_image: "5e".repeat(32),
        compatible: true,
        created: 1_700_000_000,
        saved: 1_700_003_600,
        generation: 2,
        size: 31_000_000,
        files: 1_203,
        state: "complete".into(),
        saved_from_this_start: false,
        kernel: "6.12.48+deb13-amd64".into(),
        kernel_parameters: "persistence".into(),
        store: STORE.to_path(),
    }
}

pub fn job(operation: &str) -> Job {
    Job {
        operation: operation.into(),
        state: "running".into(),
        phase: "copying".into(),
        progress: 0.25,
        bytes_done: 8_000_000,
        bytes_total: 31_000_000,
        entries_done: 300,
        entries_total: 1_203,
        rate: 4_000_000,
        started: 1_700_000_000,
        expected_end: 0,
        objects: vec![STORE.to_path()],
        started_by_uid: 1000,
        cancelable: true,
        point_of_no_return: false,
        blockers: vec![],
        error: String::new(),
        message: String::new(),
        facts: Facts::default(),
    }
}

pub fn prepare_plan() -> PreparePlan {
    let lost = Piece {
        kind: "filesystem".into(),
        size: 15_931_539_456,
        used: Some(3_100_000_000),
        device_node: Some("/dev/sda".into()),
        label: Some("HOLIDAY".into()),
        uuid: Some("1234-ABCD".into()),
        filesystem: Some("vfat".into()),
        name: None,
    };
    let made = Piece {
        kind: "partition".into(),
        size: 15_900_000_000,
        ..Piece::default()
    };
    let new_store = Piece {
        kind: "store".into(),
        size: 15_800_000_000,
        name: Some("My stick".into()),
        ..Piece::default()
    };
    PreparePlan {
        device: disk(4),
        mode: "device".into(),
        name: "My stick".into(),
        filesystem: "ext4".into(),
        size: 15_800_000_000,
        destroys: true,
        lost: vec![lost],
        changed: vec![],
        made: vec![made, new_store],
        warnings: vec![],
    }
}

pub fn save_plan() -> SavePlan {
    SavePlan {
        session: paths::none(),
        name: "Biofuel report".into(),
        default: true,
        exclude: vec!["/swapfile".into()],
        entries: 1_203,
        bytes: 31_000_000,
        changed_entries: 1_203,
        changed_bytes: 31_000_000,
        removed_entries: 0,
        space: 33_000_000,
        free: 6_200_000_000,
        fits: true,
        fits_overwriting: Some(false),
        seconds: Some(4),
    }
}

pub fn saved() -> Facts {
    Facts {
        store: Some(STORE.to_path()),
        session: Some(SESSION.to_path()),
        generation: Some(2),
        entries: Some(1_203),
        bytes: Some(31_000_000),
        written_bytes: Some(8_200_000),
        changed_entries: Some(12),
        still_changing: Some(0),
        default: Some(true),
        kernel_parameters: Some("persistence".into()),
        warnings: Some(vec![]),
        ..Facts::default()
    }
}
