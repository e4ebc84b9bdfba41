//! The made-up world: a stick with a store and a session, and a built-in disk.

use wendyd::model::{
    Condition, Device, DeviceId, Hub, LiveState, Session, SessionKey, SessionState, Stack, State,
    Store, StoreKey, StoreKind, UpperKind,
};

/// A USB stick.
pub const STICK: DeviceId = DeviceId {
    diskseq: 7,
    partition: None,
};
/// The built-in disk.
pub const DISK: DeviceId = DeviceId {
    diskseq: 8,
    partition: None,
};
/// A store on the stick.
pub const STORE: StoreKey = StoreKey(0xa1);
/// A session in that store.
pub const SESSION: SessionKey = SessionKey(0xb2);

/// Shows all of it.
pub(super) fn plug(hub: &Hub) {
    hub.update(|world| {
        world.live = LiveState {
            stack: Some(Stack::LiveBoot),
            upper_kind: Some(UpperKind::Overlayfs),
            condition: Condition {
                state: State::Volatile,
                ..Condition::default()
            },
            ..LiveState::default()
        };
        world.devices.insert(STICK, stick());
        world.devices.insert(DISK, disk());
        world.stores.insert(STORE, store());
        world.sessions.insert(SESSION, session());
    });
}

fn stick() -> Device {
    Device {
        node: "/dev/sdx".to_owned(),
        vendor: "ACME".to_owned(),
        model: "Stick\n$(device) <b>%n%s</b>".to_owned(),
        bus: "usb".to_owned(),
        size: 1 << 30,
        removable: true,
        store: Some(STORE),
        ..Device::default()
    }
}

fn disk() -> Device {
    Device {
        node: "/dev/sdy".to_owned(),
        bus: "ata".to_owned(),
        system: true,
        ..Device::default()
    }
}

fn store() -> Store {
    Store {
        name: "My stick".to_owned(),
        device: STICK,
        kind: StoreKind::Filesystem,
        locked: false,
        foreign: String::new(),
        filesystem: "ext4".to_owned(),
        size: 1 << 30,
        free: 1 << 29,
        writable: true,
        problem: None,
        default_session: Some(SESSION),
    }
}

fn session() -> Session {
    Session {
        name: "Biofuel report".to_owned(),
        stack: Stack::LiveBoot,
        upper_kind: UpperKind::Overlayfs,
        base_image: "00".repeat(32),
        compatible: true,
        created: 1,
        saved: 2,
        generation: 1,
        size: 3,
        files: 4,
        state: SessionState::Complete,
        kernel: "6.12".to_owned(),
        kernel_parameters: "persistence".to_owned(),
        saved_from_this_start: true,
        store: STORE,
    }
}
