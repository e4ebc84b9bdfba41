//! Commands that only look.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::Fake;
use common::samples::{self, SESSION};
use common::terminal::Terminal;

#[test]
fn status_says_what_will_become_of_the_changes() {
    let fake = Fake::start();
    let expected = "Your changes are kept in memory only and will be lost at shutdown \
                    (31 MB of 986 MB used).\n\
                    To keep them on \"My stick\": wendyctl save NAME\n";
    assert_eq!(fake.run(&["status"]).worked(), expected);
}

#[test]
fn status_tells_what_is_saved_already() {
    let fake = Fake::start();
    fake.world()
        .sessions
        .values_mut()
        .for_each(|session| session.saved_from_this_start = true);
    let shown = fake.run(&["status"]).worked();
    let expected = "What was there 2023-11-14 23:13 is saved. To keep the rest, too: wendyctl save \
                    \"Biofuel report\"\n";
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn status_warns_before_the_room_is_used_up() {
    let fake = Fake::start();
    fake.world().system.upper_used = 900_000_000;
    assert!(
        fake.run(&["status"])
            .worked()
            .contains("Only 86 MB are left.")
    );
}

#[test]
fn status_names_the_session_that_is_written_to() {
    let fake = Fake::start();
    fake.world().system.state = "persistent".into();
    fake.world().system.running_session = SESSION.to_path();
    let expected = "Your changes are kept in the session \"Biofuel report\" on \"My stick\" as you \
                    make them (31 MB of 986 MB used).\n";
    assert_eq!(fake.run(&["status"]).worked(), expected);
}

#[test]
fn status_has_words_for_every_other_state() {
    let fake = Fake::start();
    for (state, words) in [
        (
            "read-only",
            "Nothing can be changed on this system (the medium is write-protected).",
        ),
        (
            "full",
            "There is no room left for changes (31 MB of 986 MB used)",
        ),
        ("failed", "Changes cannot be kept or saved"),
        ("not-live", "This is not a live system"),
        ("frozen", "in a state that wendyctl does not know: frozen"),
    ] {
        fake.world().system.state = state.into();
        fake.world().system.state_message = "the medium is write-protected".into();
        let shown = fake.run(&["status"]).worked();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn status_says_in_its_own_words_why() {
    let fake = Fake::start();
    for (state, reason, words) in [
        (
            "volatile",
            "no-medium",
            "will be lost at shutdown (31 MB of 986 MB used; the boot line asks to keep them, but no \
             medium for that was found).",
        ),
        (
            "volatile",
            "unknown-place",
            "Nobody knows where your changes are kept (31 MB of 986 MB used): save them before",
        ),
        (
            "read-only",
            "read-only-filesystem",
            "(the filesystem that they are kept on takes no more writes).",
        ),
        ("full", "no-room", "save now, or delete something.\n"),
        ("failed", "unreachable", "on this system (in English)."),
        ("failed", "not-known-yet", "on this system (in English)."),
    ] {
        fake.world().system.state = state.into();
        fake.world().system.state_reason = reason.into();
        fake.world().system.state_message = "in English".into();
        let shown = fake.run(&["status"]).worked();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn status_remembers_the_session_of_a_store_that_was_unplugged() {
    let fake = Fake::start();
    fake.world().system.state = "failed".into();
    fake.world().system.state_reason = "medium-gone".into();
    fake.world().system.running_session_name = "Biofuel report".into();
    let expected = "The medium that your changes are kept on was unplugged, with the session \
                    \"Biofuel report\" on it: what you change now is lost.\n";
    assert_eq!(fake.run(&["status"]).worked(), expected);
    // Its store may also only not have been looked at yet.
    fake.world().system.state = "persistent".into();
    let expected = "Your changes are kept in the session \"Biofuel report\" as you make them (31 MB \
                    of 986 MB used).\n";
    assert_eq!(fake.run(&["status"]).worked(), expected);
}

#[test]
fn status_shows_a_job_at_work() {
    let fake = Fake::start();
    fake.world().jobs.insert(
        "/org/ubuntu/Wendy/jobs/3".into(),
        samples::job("save-session"),
    );
    let shown = fake.run(&["status"]).worked();
    assert!(
        shown.contains("Job 3: Copying 8.0 MB of 31 MB, 4.0 MB/s\n"),
        "{shown}"
    );
}

#[test]
fn devices_are_listed_with_what_they_hold() {
    let fake = Fake::start();
    let expected = "\
DEVICE   SIZE  PRODUCT        HOLDS             STATE
sda     16 GB  SanDisk Ultra  vfat \"HOLIDAY\"    free
sdb     16 GB  SanDisk Ultra                    free
  sdb1  16 GB  SanDisk Ultra  store \"My stick\"  free
One more belongs to this computer or its boot medium; --all shows them.
";
    assert_eq!(fake.run(&["devices"]).worked(), expected);
}

#[test]
fn a_device_that_is_two_things_is_said_to_be() {
    let fake = Fake::start();
    for device in fake.world().devices.values_mut() {
        device.filesystem_type = "ambivalent".into();
    }
    let shown = fake.run(&["devices"]).worked();
    assert!(shown.contains("marks of several filesystems"), "{shown}");
}

#[test]
fn a_device_that_takes_long_to_look_into_is_shown_all_the_same() {
    let fake = Fake::start();
    for device in fake.world().devices.values_mut() {
        device.examined = device.filesystem_type.is_empty();
    }
    let shown = fake.run(&["devices"]).worked();
    assert!(
        shown.contains("sda     16 GB  SanDisk Ultra  being looked into"),
        "{shown}"
    );
    assert!(shown.contains("store \"My stick\""), "{shown}");
}

#[test]
fn all_devices_say_why_they_cannot_be_used() {
    let fake = Fake::start();
    let mut device = samples::device("/dev/sdc", 6);
    device.in_use = true;
    device.in_use_by = vec!["sdc is mounted at /media/x".into()];
    device.read_only = true;
    fake.world()
        .devices
        .insert(common::fake::device_path(6), device);
    let shown = fake.run(&["devices", "--all"]).worked();
    assert!(shown.contains("boot medium, write-protected\n"), "{shown}");
    assert!(
        shown.contains("write-protected, sdc is mounted at /media/x\n"),
        "{shown}"
    );
    assert!(!shown.contains("--all"), "{shown}");
}

#[test]
fn no_device_is_no_failure() {
    let fake = Fake::start();
    fake.world().devices.clear();
    assert!(fake.run(&["devices"]).worked().contains("Plug one in"));
}

#[test]
fn sessions_are_listed_store_by_store() {
    let fake = Fake::start();
    let shown = fake.run(&["sessions"]).worked();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "\"My stick\" on sdb1: 6.2 GB of 8.0 GB free");
    assert!(lines[1].starts_with("  SESSION "), "{shown}");
    assert!(lines[2].starts_with("  Biofuel report  31 MB  "), "{shown}");
    assert!(
        lines[2].ends_with("  2023-11-14 23:13  complete, default  11112222"),
        "{shown}"
    );
}

#[test]
fn stores_of_others_are_named_for_what_they_are() {
    let fake = Fake::start();
    fake.world().sessions.clear();
    for (foreign, problem, locked, words) in [
        (
            "casper persistence",
            "",
            false,
            "casper persistence, not made by wendy",
        ),
        (
            "",
            "newer-format",
            false,
            "made by a newer wendy, can only be read",
        ),
        ("", "corrupt", false, "its record is damaged"),
        ("", "", true, "on sdb1: locked"),
        ("", "", false, "no sessions yet"),
    ] {
        for store in fake.world().stores.values_mut() {
            (store.foreign, store.problem) = (foreign.into(), problem.into());
            store.locked = locked;
        }
        let shown = fake.run(&["sessions"]).worked();
        assert!(shown.contains(words), "{shown}");
    }
}

#[test]
fn one_session_is_shown_with_everything() {
    let fake = Fake::start();
    for name in ["Biofuel report", "11112222", &format!("{:032x}", SESSION.0)] {
        let shown = fake.run(&["session", "show", name]).worked();
        assert!(shown.contains("Name         Biofuel report\n"), "{shown}");
        assert!(
            shown.contains("Contents     31 MB in 1,203 files\n"),
            "{shown}"
        );
        assert!(shown.contains("To boot it   persistence\n"), "{shown}");
        assert!(
            shown.contains("Store        \"My stick\" on sdb1\n"),
            "{shown}"
        );
    }
}

#[test]
fn jobs_are_listed() {
    let fake = Fake::start();
    assert_eq!(fake.run(&["jobs"]).worked(), "Nothing is at work.\n");
    let mut failed = samples::job("prepare-device");
    failed.state = "failed".into();
    failed.message = "the device was pulled out".into();
    fake.world()
        .jobs
        .insert("/org/ubuntu/Wendy/jobs/1".into(), failed);
    let shown = fake.run(&["jobs"]).worked();
    assert!(shown.contains("prepare a device"), "{shown}");
    assert!(
        shown.contains("failed: the device was pulled out"),
        "{shown}"
    );
}

#[test]
fn a_report_tells_no_names_and_no_serial_numbers() {
    let fake = Fake::start();
    let mut job = samples::job("save-session");
    job.message = "cannot save \"Biofuel report\"".into();
    fake.world()
        .jobs
        .insert("/org/ubuntu/Wendy/jobs/1".into(), job);
    for args in [&["report"][..], &["report", "--json"]] {
        let shown = fake.run(args).worked();
        assert!(
            shown.contains("live-boot") && shown.contains("SanDisk Ultra"),
            "{shown}"
        );
        for secret in [
            "Biofuel", "My stick", "HOLIDAY", "4C530001", "11112222", "aaaabbbb",
        ] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[test]
fn tables_fit_the_terminal_and_headings_are_bold() {
    let fake = Fake::start();
    let long =
        "a name that goes on and on and on until no terminal is wide enough to show all of it";
    for session in fake.world().sessions.values_mut() {
        session.name = long.into();
    }
    let (code, shown) = Terminal::start(&fake.bus, &["sessions"]).end();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("\x1b[1m  SESSION"), "{shown}");
    assert!(shown.contains('…') && !shown.contains(long), "{shown}");
    assert!(
        shown
            .lines()
            .all(|line| line.chars().count() <= 100 + "\x1b[1m\x1b[0m".len())
    );
}

#[test]
fn no_color_is_respected() {
    let fake = Fake::start();
    let line = "NO_COLOR=1 $WENDYCTL devices; TERM=dumb $WENDYCTL devices";
    let (code, shown) = Terminal::shell(&fake.bus, line).end();
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("DEVICE") && !shown.contains('\x1b'),
        "{shown}"
    );
}
