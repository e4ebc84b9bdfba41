//! One stick is enough: the system was started from it, and what was done is kept in its free space.

use wendy_sys::block::{Access, BlockDevice};

use crate::{
    common::{Live, Partition, SHAPES, ensure_udev, live_stick},
    living::{object_on, start_on},
    policy::ALLOW,
    system::System,
};

/// What a run that went well has printed.
fn works(system: &System, args: &[&str]) -> String {
    let ran = system.wendyctl(args);
    assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
    ran.out
}

fn text(partition: &Partition) -> &str {
    partition.node().to_str().unwrap()
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
        let prepare = [
            "prepare",
            stick.node().to_str().unwrap(),
            "--name",
            "My stick",
            "--yes",
        ];
        works(&system, &prepare);
        let number = stick.table().last().unwrap().number;
        let store = stick.known_partition(number);
        let save = ["save", "Biofuel report", "--store", text(&store)];
        let saved = works(&system, &save);
        assert!(saved.contains("Saved \"Biofuel report\""), "{saved}");
        drop((store, held, medium));

        let stick = stick.replugged();
        let partition = stick.partition(number);
        object_on(&root, ".Device", partition.node(), Some("Store")).await;
        let sessions = works(&system, &["sessions", "--store", text(&partition)]);
        assert!(sessions.contains("Biofuel report"), "{sessions}");
    }
}
