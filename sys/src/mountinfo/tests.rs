use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    mount::{self, MountFlags},
    testing::is_root,
};

const LIVE: &[u8] = b"\
24 1 0:22 / / rw,noatime shared:1 - overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work,redirect_dir=on\n\
31 24 8:17 /sub\\040dir /media/my\\040stick\\012 ro,nosuid shared:2 master:1 propagate_from:7 - ext4 /dev/sdb1 rw,errors=continue\n\
40 24 0:41 / /tmp rw - tmpfs tmpfs rw\n";

#[test]
fn the_fields_of_a_live_system_are_found() {
    let mounts = parse(LIVE).unwrap();
    let root = &mounts[0];
    assert_eq!(
        (root.id, root.parent, root.devnum.to_string()),
        (24, 1, "0:22".into())
    );
    assert_eq!(root.fs_type, "overlay");
    assert_eq!(
        root.super_option("upperdir").unwrap(),
        "/run/live/overlay/rw"
    );
    assert_eq!(root.super_option("rw").unwrap(), "");
    assert_eq!(root.super_option("upper"), None);
    let stick = &mounts[1];
    assert_eq!(stick.mount_point, Path::new("/media/my stick\n"));
    assert_eq!(stick.root, Path::new("/sub dir"));
    assert!(stick.read_only() && stick.shared && !root.read_only() && !mounts[2].shared);
}

#[test]
fn options_are_split_before_they_are_unescaped() {
    let line = b"1 0 0:1 / / rw - overlay overlay rw,lowerdir+=/a\\054b,lowerdir+=/c,x=\\134\n";
    let mount = &parse(line).unwrap()[0];
    let lowers: Vec<_> = mount.super_options_named("lowerdir+").collect();
    assert_eq!(lowers, ["/a,b", "/c"]);
    assert_eq!(mount.super_option("x").unwrap(), "\\");
}

#[test]
fn malformed_lines_are_refused() {
    for line in [
        &b"x 1 0:1 / / rw - t s o\n"[..],
        b"1 1 01 / / rw - t s o\n",
        b"1 1 0:1 / / rw t s o\n",
        b"1 1 0:1 / / rw - t s\n",
        b"1 1 0:1 /\n",
    ] {
        assert!(parse(line).is_err(), "{}", String::from_utf8_lossy(line));
    }
    assert_eq!(parse(b"").unwrap(), []);
}

#[test]
fn this_machine_has_a_root_and_proc() {
    let mounts = read().unwrap();
    assert!(
        mounts
            .iter()
            .any(|mount| mount.mount_point == Path::new("/"))
    );
    assert!(mounts.iter().any(|mount| mount.fs_type == "proc"));
}

#[test]
fn a_watch_reports_each_change() {
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut watch = Watch::open().unwrap();
    let tmpfs = mount::detached("tmpfs", None, &[], MountFlags::STORE).unwrap();
    mount::attach(&tmpfs, std::fs::File::open(directory.path()).unwrap()).unwrap();
    drop(tmpfs);
    let shows = |watch: &mut Watch| {
        watch
            .read()
            .unwrap()
            .iter()
            .any(|mount| mount.mount_point == directory.path())
    };
    assert!(watch.wait(Some(Duration::from_secs(20))).unwrap());
    assert!(shows(&mut watch));
    mount::detach(directory.path(), false).unwrap();
    assert!(watch.wait(Some(Duration::from_secs(20))).unwrap());
    assert!(!shows(&mut watch));
}

/// As the kernel's `seq_escape` with " \t\n\\".
fn escape(plain: &[u8]) -> Vec<u8> {
    let escaped = plain.iter().map(|&byte| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        other => vec![other],
    });
    escaped.collect::<Vec<_>>().concat()
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_the_kernel_escapes_comes_back(name in proptest::collection::vec(1_u8.., 1..80)) {
        prop_assert_eq!(unescape(&escape(&name)), name.clone());
        let line = [b"7 1 8:1 / ".as_slice(), &escape(&name), b" rw - ext4 /dev/sda1 rw"].concat();
        let mounts = parse(&line).unwrap();
        prop_assert_eq!(mounts[0].mount_point.as_os_str().as_bytes(), &name[..]);
    }
}
