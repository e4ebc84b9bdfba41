//! Saves that somebody else has written to: nothing in them gains power here, and it is told.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        CWD, FileType, Mode, StatVfsMountFlags, XattrFlags, fstatvfs, makedev, mknodat, setxattr,
    },
    io::Errno,
};
use wendy_store::Generation;
use wendyd::{
    engine::{
        Error, Unwatched,
        manage::{self, Verdict},
        save::SaveReport,
    },
    stores::OpenStore,
};

use crate::common::*;

fn upper_of(store: &OpenStore, saved: &SaveReport) -> PathBuf {
    let generation = saved.generation.generation;
    path_of(&store.root()).join(format!(
        "casper/sessions/{}/generations/{generation}/upper",
        saved.session
    ))
}

/// What would make its writer root, were it ever obeyed.
fn poison(upper: &Path) {
    let write = |path: &str, content: &str, mode: u32| {
        let path = upper.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("usr/bin/door", "#!/bin/sh\nid\n", 0o6755);
    write("etc/sudoers.d/all", "ALL ALL=(ALL) NOPASSWD: ALL\n", 0o440);
    write("etc/polkit-1/rules.d/00-all.rules", "yes", 0o644);
    write("etc/systemd/system/door.service", "[Service]\n", 0o644);
    write(
        "etc/udev/rules.d/00-all.rules",
        "RUN+=\"/usr/bin/door\"\n",
        0o644,
    );
    write("etc/shadow", "root::0:0:99999:7:::\n", 0o640);
    let device = |path: &str, number| {
        let (kind, mode) = (FileType::CharacterDevice, Mode::from(0o666));
        mknodat(CWD, upper.join(path), kind, mode, number).unwrap();
    };
    fs::create_dir_all(upper.join("sbin")).unwrap();
    device("sbin/init", makedev(0, 0));
    device("usr/bin/memory", makedev(1, 1));
    symlink("/etc", upper.join("home/ann/etc")).unwrap();
    for (name, value) in [
        ("trusted.overlay.redirect", "../../../../etc"),
        ("trusted.overlay.metacopy", ""),
        ("trusted.overlay.opaque", "y"),
    ] {
        setxattr(
            upper.join("etc"),
            name,
            value.as_bytes(),
            XattrFlags::empty(),
        )
        .unwrap();
    }
}

#[test]
fn a_poisoned_save_is_told_and_gains_nothing() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let partition = stick.partition(1);
    let live = Live::new();
    let saved = live.save(&partition.store(), &named("One")).unwrap();
    let store = partition.store();
    let upper = upper_of(&store, &saved);
    poison(&upper);
    let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Damaged);
    // Here neither set-user-id bits nor device nodes nor programs mean anything.
    let flags = fstatvfs(store.root()).unwrap().f_flag;
    for flag in [
        StatVfsMountFlags::NOSUID,
        StatVfsMountFlags::NODEV,
        StatVfsMountFlags::NOEXEC,
    ] {
        assert!(flags.contains(flag), "{flags:?}");
    }
    let memory = fs::File::open(upper.join("usr/bin/memory"));
    assert_eq!(
        memory.unwrap_err().raw_os_error(),
        Some(Errno::ACCESS.raw_os_error())
    );
    live.write("etc/hostname", "bob\n");
    live.save(&store, &update_of(&saved)).unwrap();
    assert_eq!(look(&stock_upper(&store).unwrap()), live.expected());
    let checked = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Complete);
    poison(&stock_upper(&store).unwrap());
    manage::delete_session(&store, saved.session, None, &Unwatched::default()).unwrap();
    assert!(Path::new("/etc/passwd").exists() && stock_upper(&store).is_none());
}

#[test]
fn a_save_with_the_last_number_is_not_written_over() {
    if !is_root() {
        return;
    }
    let stick = Stick::prepared(128 * MIB);
    let partition = stick.partition(1);
    let live = Live::new();
    let saved = live.save(&partition.store(), &named("One")).unwrap();
    let before = live.expected();
    let store = partition.store();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}", saved.session));
    let last = u32::MAX.to_string();
    assert_eq!(last.parse::<Generation>().unwrap().next().to_string(), last);
    let record = session.join("generations/1/.info");
    let content = fs::read_to_string(&record).unwrap();
    fs::write(
        &record,
        content.replace("generation=1", &format!("generation={last}")),
    )
    .unwrap();
    fs::rename(
        session.join("generations/1"),
        session.join("generations").join(&last),
    )
    .unwrap();
    fs::remove_file(session.join("current")).unwrap();
    symlink(format!("generations/{last}"), session.join("current")).unwrap();
    live.write("etc/hostname", "bob\n");
    let refused = live.save(&store, &update_of(&saved));
    assert!(
        matches!(refused, Err(Error::NotSupported(_))),
        "{refused:?}"
    );
    assert_eq!(look(&session.join("current/upper")), before);
    live.save(&store, &named("Another")).unwrap();
}
