//! Media with more of everything than anybody could want.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use wendy_store::SessionId;
use wendy_sys::block::{Access, BlockDevice};
use wendyd::{
    engine::{
        Unwatched,
        manage::{self, Verdict},
    },
    probe::{Prober, Target},
    stores::Saved,
};

use crate::common::*;

const MANY: usize = 10_000;

#[test]
fn ten_thousand_sessions_are_a_short_list_and_no_obstacle() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(256 * MIB);
    let partition = stick.partition(1);
    let live = Live::new();
    let saved = live.save(&partition.store(), &named("One")).unwrap();
    let store = partition.store();
    let sessions = path_of(&store.root()).join("casper/sessions");
    let record = sessions.join(saved.session.to_string()).join(".info");
    let record = fs::read_to_string(record).unwrap();
    for n in 0..MANY {
        let id = SessionId::random();
        let session = sessions.join(id.to_string());
        fs::create_dir(&session).unwrap();
        let own = record.replace(&saved.session.to_string(), &id.to_string());
        let own = own.replace("name=One", &format!("name=Session {n}"));
        fs::write(session.join(".info"), own).unwrap();
        std::os::unix::fs::symlink("generations/1", session.join("current")).unwrap();
    }
    store.sync().unwrap();
    drop(store);
    let device = BlockDevice::open(partition.node(), Access::Read).unwrap();
    let prober = Prober::new(PathBuf::from(env!("CARGO_BIN_EXE_wendy-probe")));
    let report = prober.look(Target::Device(&device, "ext4")).unwrap();
    assert!(report.left_out && report.sessions.len() <= 256);
    drop(device);
    let store = partition.store();
    let found = Saved::read(store.root()).unwrap();
    assert_eq!((found.sessions.len(), found.damaged.len()), (1, MANY));
    live.write("etc/hostname", "bob\n");
    live.save(&store, &update_of(&saved)).unwrap();
    let only = Some(saved.session);
    let checked = manage::check(&store, only, &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Complete);
}

/// So deep that no path leads there and no recursion comes back.
const DEEP: usize = 20_000;

#[test]
fn a_tree_without_a_floor_is_checked_and_removed() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(256 * MIB);
    let partition = stick.partition(1);
    let live = Live::new();
    let saved = live.save(&partition.store(), &named("One")).unwrap();
    let store = partition.store();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}", saved.session));
    dig(&session.join("generations/1/upper/home"), DEEP);
    fs::create_dir(session.join("generations/9")).unwrap();
    dig(&session.join("generations/9"), DEEP);
    let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Damaged);
    live.write("etc/hostname", "bob\n");
    live.save(&store, &update_of(&saved)).unwrap();
    assert!(!session.join("generations/9").exists());
    assert_eq!(look(&stock_upper(&store).unwrap()), live.expected());
    manage::delete_session(&store, saved.session, None, &Unwatched::default()).unwrap();
    assert!(!session.exists());
}

/// A live system may have such a tree as well.
#[test]
fn a_tree_without_a_floor_is_saved() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(256 * MIB);
    let store = stick.store();
    let live = Live::new();
    live.write("srv/deep/top", "");
    // Deeper than any path is long.
    dig(&live.upper().join("srv/deep"), 2500);
    let saved = live.save(&store, &named("Deep")).unwrap();
    assert!(saved.generation.entries > 2500);
    let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Complete);
    let removed = wendy_layers::remove_tree(
        open_dir(&live.upper()).as_fd(),
        "srv".as_ref(),
        &wendy_layers::Unattended,
    );
    removed.unwrap();
}

fn dig(top: &Path, depth: usize) {
    let mut here: OwnedFd = open_dir(top);
    for _ in 0..depth {
        mkdirat(&here, c"d", Mode::from(0o755)).unwrap();
        here = openat(
            &here,
            c"d",
            OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
    }
}
