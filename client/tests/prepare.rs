//! Consent: who may agree to what is lost, and to what exactly.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::{Fake, device_path};
use common::samples;
use common::terminal::Terminal;

const PREPARE: [&str; 4] = ["prepare", "sda", "--name", "My stick"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&PREPARE[..], more].concat()
}

fn prepared(fake: &Fake) -> usize {
    fake.world()
        .calls
        .iter()
        .filter(|call| call.starts_with("PrepareDevice"))
        .count()
}

fn token(fake: &Fake) -> String {
    let ran = fake.run(&with(&["--dry-run", "--json"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.json()[0]["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let fake = Fake::start();
    let shown = fake.run(&with(&["--dry-run"])).worked();
    let expected = "\
sda (SanDisk Ultra, 16 GB), serial number 4C530001
This will be lost:
  the filesystem sda vfat, \"HOLIDAY\", 16 GB, 3.1 GB used
This will be made:
  the partition 16 GB
  the store \"My stick\", 16 GB
To do it without being asked: --yes --token ";
    assert!(shown.starts_with(expected), "{shown}");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn what_is_asked_for_reaches_the_daemon() {
    let fake = Fake::start();
    fake.run(&with(&[
        "--dry-run",
        "--mode",
        "free-space",
        "--size",
        "4G",
    ]))
    .worked();
    fake.run(&["prepare", "/dev/sdb1", "--name", "x", "--dry-run"])
        .worked();
    let calls = fake.world().calls.clone();
    assert_eq!(
        calls[0],
        "PlanPrepare /org/ubuntu/Wendy \"free-space\" \"My stick\" Some(4000000000)"
    );
    assert_eq!(
        calls[1],
        "PlanPrepare /org/ubuntu/Wendy \"partition\" \"x\" None"
    );
}

#[test]
fn a_person_agrees_by_the_name_of_the_device() {
    let fake = Fake::start();
    for answer in ["sda", "yes"] {
        let mut terminal = Terminal::start(&fake.bus, &PREPARE);
        terminal.wait_for("Type sda or yes to erase it:");
        terminal.type_line(answer);
        let (code, shown) = terminal.end();
        assert_eq!(code, 0, "{shown}");
        assert!(
            shown.contains("The store \"My stick\" is ready, with room for 6.2 GB."),
            "{shown}"
        );
    }
    assert_eq!(prepared(&fake), 2);
}

#[test]
fn any_other_answer_changes_nothing() {
    let fake = Fake::start();
    for answer in ["", "y", "sdb", "YES", "no", "\u{4}"] {
        let mut terminal = Terminal::start(&fake.bus, &PREPARE);
        terminal.wait_for("Type sda or yes");
        terminal.type_line(answer);
        let (code, shown) = terminal.end();
        assert_eq!(code, 5, "{answer:?}: {shown}");
        assert!(shown.contains("not agreed, nothing was changed"), "{shown}");
    }
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn a_pipe_agrees_to_nothing() {
    let fake = Fake::start();
    let mut wendyctl = fake.bus.wendyctl(&PREPARE);
    let answers = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut &answers, b"yes\nyes\nsda\n").unwrap();
    std::io::Seek::rewind(&mut &answers).unwrap();
    let ran = common::Ran::from(wendyctl.stdin(answers).output().unwrap());
    ran.failed(5, "there is no terminal to ask on, nothing was changed");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn a_pipe_beside_a_terminal_agrees_to_nothing_either() {
    let fake = Fake::start();
    let line = "yes | $WENDYCTL prepare sda --name x > /dev/null";
    let mut terminal = Terminal::shell(&fake.bus, line);
    terminal.wait_for("Type sda or yes");
    terminal.type_line("no");
    let (code, shown) = terminal.end();
    assert_eq!(code, 5, "{shown}");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn json_asks_nobody() {
    let fake = Fake::start();
    fake.run(&with(&["--json"]))
        .failed(5, "\"error\":\"not-agreed\"");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn yes_alone_is_not_enough_for_what_would_be_lost() {
    let fake = Fake::start();
    fake.run(&with(&["--yes"]))
        .failed(5, "--yes came without --token");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn yes_alone_is_enough_for_an_empty_device() {
    let fake = Fake::start();
    fake.world().prepare_plan.destroys = false;
    fake.world().prepare_plan.lost.clear();
    fake.run(&with(&["--yes"])).worked();
    assert_eq!(prepared(&fake), 1);
}

#[test]
fn the_token_of_a_dry_run_agrees_to_the_same_plan() {
    let fake = Fake::start();
    let token = token(&fake);
    let shown = fake.run(&with(&["--yes", "--token", &token])).worked();
    assert!(shown.contains("The store \"My stick\" is ready"), "{shown}");
    assert_eq!(prepared(&fake), 1);
}

#[test]
fn the_token_does_not_fit_another_stick_of_the_same_name() {
    let fake = Fake::start();
    let token = token(&fake);
    let stick = fake.world().devices.remove(&device_path(4)).unwrap();
    fake.world().devices.insert(
        device_path(7),
        wendy_dbus::objects::Device {
            disk_seq: 7,
            ..stick
        },
    );
    fake.run(&with(&["--yes", "--token", &token]))
        .failed(5, "for another device or another plan");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn the_token_does_not_fit_when_more_would_be_lost() {
    let fake = Fake::start();
    let token = token(&fake);
    fake.world().prepare_plan.lost[0].used = Some(3_100_000_001);
    fake.run(&with(&["--yes", "--token", &token]))
        .failed(5, "for another device or another plan");
    fake.run(&with(&["--yes", "--token", ""]))
        .failed(5, "for another device or another plan");
    assert_eq!(prepared(&fake), 0);
}

#[test]
fn a_device_is_found_by_node_label_and_store() {
    let fake = Fake::start();
    fake.world().prepare_plan.destroys = false;
    let (empty, stick) = (samples::disk(4), samples::partition(5, 1));
    let names = [
        ("sda", &empty),
        ("/dev/sda", &empty),
        ("HOLIDAY", &empty),
        ("My stick", &stick),
    ];
    for (name, device) in names {
        fake.run(&["prepare", name, "--name", "x", "--yes"])
            .worked();
        let call = format!("PrepareDevice /org/ubuntu/Wendy {device} \"x\"");
        assert_eq!(fake.world().calls.last(), Some(&call), "{name}");
    }
}

#[test]
fn a_name_that_fits_two_devices_is_refused_with_the_choices() {
    let fake = Fake::start();
    fake.world().devices.get_mut(&device_path(5)).unwrap().label = "HOLIDAY".into();
    let ran = fake.run(&["prepare", "HOLIDAY", "--name", "x", "--dry-run"]);
    assert!(
        ran.err
            .contains("sda (SanDisk Ultra, 16 GB); sdb (SanDisk Ultra, 16 GB)"),
        "{ran:?}"
    );
    ran.failed(4, "2 devices are called \"HOLIDAY\"");
}

#[test]
fn a_label_cannot_pose_as_another_device() {
    let fake = Fake::start();
    fake.world().devices.get_mut(&device_path(4)).unwrap().label = "sdb".into();
    fake.run(&["prepare", "sdb", "--name", "x", "--dry-run"])
        .failed(4, "2 devices are called \"sdb\"");
    fake.run(&["prepare", "/dev/sdb", "--name", "x", "--dry-run"])
        .worked();
}

#[test]
fn only_what_the_daemon_shows_is_a_device() {
    let fake = Fake::start();
    for name in ["/dev/null", "/etc/passwd", "../dev/sda", "sd", "", "/dev/"] {
        let ran = fake.run(&["prepare", name, "--name", "x", "--dry-run"]);
        assert!(
            ran.err.contains("there are: sda (SanDisk Ultra, 16 GB)"),
            "{ran:?}"
        );
        ran.failed(4, "there is no device called");
    }
}

/// The stick sda is what the system was started from, and has room.
fn live_stick() -> Fake {
    let fake = Fake::start();
    let mut world = fake.world();
    let stick = world.devices.get_mut(&device_path(4)).unwrap();
    stick.boot_medium = true;
    stick.system = true;
    let plan = &mut world.prepare_plan;
    plan.mode = "free-space".into();
    plan.destroys = false;
    plan.lost.clear();
    plan.changed = vec![wendy_dbus::plans::Piece {
        kind: "partition-table".into(),
        filesystem: Some("dos".into()),
        ..wendy_dbus::plans::Piece::default()
    }];
    plan.warnings = vec!["boot-image-kept".into()];
    drop(world);
    fake
}

#[test]
fn the_room_on_the_live_stick_is_offered() {
    let fake = live_stick();
    let shown = fake.run(&["devices"]).worked();
    let offer =
        "Your live stick sda has 16 GB free for a store: wendyctl prepare sda --name NAME\n";
    assert!(shown.ends_with(offer), "{shown}");
    let json = fake.run(&["devices", "--json"]).json();
    assert_eq!(json[0]["free_space"][0]["device"], "4");
    assert_eq!(json[0]["free_space"][0]["size"], 15_800_000_000_u64);
}

#[test]
fn a_live_stick_is_added_to_unless_something_else_is_said() {
    let fake = live_stick();
    let shown = fake.run(&with(&["--dry-run"])).worked();
    let expected = "\
sda (SanDisk Ultra, 16 GB), serial number 4C530001
Nothing will be lost: what is on the device stays.
This is added to, and what is there stays:
  the partition table dos
This will be made:
  the partition 16 GB
  the store \"My stick\", 16 GB
Note: the image on it still boots.
";
    assert!(shown.starts_with(expected), "{shown}");
    let asked = fake.world().calls.last().unwrap().clone();
    assert!(asked.contains("\"free-space\""), "{asked}");
}
