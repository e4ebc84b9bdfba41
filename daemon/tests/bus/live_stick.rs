//! One stick is enough: the system was started from it, and what was done is kept in its free space.

use wendy_sys::block::{Access, BlockDevice};

use crate::{
    bench::{Live, SHAPES, Stick, live_stick},
    living::{ensure_udev, object_on, start_on},
    system::{ALLOW, System},
};

/// What a run that went well has printed.
fn works(system: &System, args: &[&str]) -> String {
    let ran = system.wendyctl(args);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

fn node(stick: &Stick) -> &str {
    stick.node().to_str().unwrap()
}

#[tokio::test]
async fn a_session_is_kept_on_the_stick_the_system_runs_from() {
    ensure_udev();
    for shape in SHAPES {
        let (stick, live) = (live_stick(256 << 20, shape).0, Live::new());
        // As the mount of a live medium does, it keeps others from having the disk.
        let medium = stick.started_from(1);
        let held = BlockDevice::open(medium.node(), Access::Exclusive).unwrap();
        let system = start_on(ALLOW, live.directory.path(), "one", Some(stick.node())).await;
        let root = system.connect(0).await;
        object_on(&root, ".Device", stick.node(), None).await;

        let offer = works(&system, &["devices"]);
        assert!(
            offer.contains("free for a store: wendyctl prepare"),
            "{offer}"
        );
        let prepare = ["prepare", node(&stick), "--name", "My stick", "--yes"];
        works(&system, &prepare);
        let saved = works(&system, &["save", "Biofuel report", "--store", "My stick"]);
        assert!(saved.contains("Saved \"Biofuel report\""), "{saved}");
        drop((held, medium));

        let number = stick.table().last().unwrap().number;
        let stick = stick.replugged();
        let partition = stick.partition(number);
        object_on(&root, ".Device", partition.node(), Some("Store")).await;
        let sessions = works(&system, &["sessions"]);
        assert!(sessions.contains("Biofuel report"), "{sessions}");
    }
}
