use super::*;

const LIVE_BOOT: &str = "24 1 0:22 / / rw,noatime - overlay overlay rw,lowerdir=/run/live/rootfs/a-wendy.squashfs/:/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work,redirect_dir=on,uuid=on\n\
30 24 0:23 / /run rw - tmpfs tmpfs rw\n\
31 30 0:24 / /run/live/overlay rw - tmpfs tmpfs rw\n\
32 30 8:1 / /run/live/medium ro - ext4 /dev/sda1 ro\n";

fn facts(command_line: &str, table: &str) -> BootFacts {
    BootFacts {
        parameters: words(command_line.as_bytes()),
        mounts: mountinfo::parse(table.as_bytes()).unwrap(),
        root_id: 24,
        casper_mark: false,
    }
}

#[test]
fn the_last_word_on_the_command_line_counts() {
    let facts = facts(
        "quiet root=a persistence rooted=c root=b=c --- x",
        LIVE_BOOT,
    );
    assert_eq!(facts.value("root"), Some("b=c"));
    assert_eq!(facts.value("persistence"), Some(""));
    assert!(!facts.has("persist") && !facts.has("nopersistence"));
}

#[test]
fn the_roots_overlay_is_taken_apart() {
    let overlay = facts("", LIVE_BOOT).overlay().unwrap();
    assert_eq!(overlay.upper, Path::new("/run/live/overlay/rw"));
    let lowers = [
        "/run/live/rootfs/a-wendy.squashfs/",
        "/run/live/rootfs/filesystem.squashfs/",
    ];
    assert_eq!(overlay.lowers, lowers.map(PathBuf::from));
}

#[test]
fn a_path_belongs_to_the_nearest_mount() {
    let facts = facts("", LIVE_BOOT);
    let of = |path: &str| mount_holding(&facts.mounts, Path::new(path)).map(|mount| mount.id);
    assert_eq!(of("/run/live/overlay/rw"), Some(31));
    assert_eq!(of("/run/live/overlayed"), Some(30));
    assert_eq!(of("/home"), Some(24));
    assert_eq!(
        devices_at(&facts.mounts, &["/run/live/medium", "/cdrom", "/run"]),
        [DevNum::from_parts(8, 1)]
    );
}

#[test]
fn an_ordinary_system_says_what_it_is() {
    let installed = facts("root=/dev/sda2", "24 1 8:2 / / rw - ext4 /dev/sda2 rw\n");
    assert_eq!(installed.overlay(), None);
    let why = installed.why_not_live();
    assert!(
        why.contains("ordinary ext4 root filesystem (/dev/sda2)"),
        "{why}"
    );
    assert!(
        installed
            .overlay_or_explain()
            .unwrap_err()
            .to_string()
            .contains("ext4")
    );
}

#[test]
fn layers_are_split_as_the_kernel_does() {
    let split = |joined: &str| split_layers(joined.as_bytes());
    assert_eq!(split("/a:/b"), ["/a", "/b"].map(PathBuf::from));
    assert_eq!(
        split(r"/with\:colon:/back\\slash"),
        ["/with:colon", r"/back\slash"].map(PathBuf::from)
    );
    assert_eq!(split("/a::/data only"), [PathBuf::from("/a")]);
    assert!(split("").is_empty());
}
