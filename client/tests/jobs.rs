//! Long work: Ctrl-C, jobs of others, a daemon that leaves, events.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader};

use common::Ran;
use common::fake::{Course, Fake, device_path, interrupt};
use common::samples;
use common::terminal::Terminal;

#[test]
fn ctrl_c_cancels_the_job_and_waits_for_it() {
    let fake = Fake::start();
    fake.world().course = Course::UntilCancelled;
    let save = fake.bus.wendyctl(&["save", "Evening"]).spawn().unwrap();
    fake.wait_for_call("GetAll /org/ubuntu/Wendy/jobs/1");
    interrupt(&save);
    let ran = Ran::from(save.wait_with_output().unwrap());
    assert!(
        fake.world()
            .calls
            .iter()
            .any(|call| call == "Cancel /org/ubuntu/Wendy/jobs/1")
    );
    assert!(ran.err.contains("Stopping …"), "{ran:?}");
    ran.failed(6, "cancelled; the last good save is untouched");
}

#[test]
fn ctrl_c_while_the_job_begins_cancels_it_as_well() {
    let fake = Fake::start();
    fake.world().course = Course::UntilCancelled;
    let save = fake.bus.wendyctl(&["save", "Evening"]).spawn().unwrap();
    fake.wait_for_call("SaveSession");
    interrupt(&save);
    Ran::from(save.wait_with_output().unwrap()).failed(6, "cancelled");
    assert!(
        fake.world()
            .calls
            .iter()
            .any(|call| call == "Cancel /org/ubuntu/Wendy/jobs/1")
    );
}

#[test]
fn a_key_press_on_the_terminal_cancels_as_well() {
    let fake = Fake::start();
    fake.world().course = Course::UntilCancelled;
    let mut terminal = Terminal::start(&fake.bus, &["save", "Evening"]);
    terminal.wait_for("Copying [");
    terminal.type_line("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, 6, "{shown}");
    assert!(
        shown.contains("cancelled; the last good save is untouched"),
        "{shown}"
    );
}

#[test]
fn the_second_ctrl_c_leaves() {
    let fake = Fake::start();
    fake.world().course = Course::Endless;
    let save = fake.bus.wendyctl(&["save", "Evening"]).spawn().unwrap();
    fake.wait_for_call("SaveSession");
    interrupt(&save);
    fake.wait_for_call("Cancel");
    interrupt(&save);
    let ran = Ran::from(save.wait_with_output().unwrap());
    ran.failed(6, "left; job 1 goes on without you");
}

#[test]
fn a_daemon_that_stops_is_noticed() {
    let fake = Fake::start();
    fake.world().course = Course::Endless;
    let save = fake.bus.wendyctl(&["save", "Evening"]).spawn().unwrap();
    fake.wait_for_call("GetAll /org/ubuntu/Wendy/jobs/1");
    fake.leave();
    let ran = Ran::from(save.wait_with_output().unwrap());
    ran.failed(9, "the daemon of wendy stopped before the job was over");
}

#[test]
fn a_job_of_somebody_else_is_cancelled_by_number() {
    let fake = Fake::start();
    fake.world().jobs.insert(
        "/org/ubuntu/Wendy/jobs/3".into(),
        samples::job("save-session"),
    );
    assert_eq!(
        fake.run(&["jobs", "--cancel", "3"]).worked(),
        "Job 3 was asked to stop.\n"
    );
    assert_eq!(fake.world().calls, ["Cancel /org/ubuntu/Wendy/jobs/3"]);
    fake.run(&["jobs", "--cancel", "4"])
        .failed(4, "there is no job 4");
    let over = fake
        .world()
        .jobs
        .get_mut("/org/ubuntu/Wendy/jobs/3")
        .map(|job| {
            job.state = "done".into();
        });
    assert!(over.is_some());
    fake.run(&["jobs", "--cancel", "3"])
        .failed(1, "job 3 is over already");
    assert_eq!(fake.world().calls.len(), 1);
}

#[test]
fn watching_a_job_shows_how_it_ended() {
    let fake = Fake::start();
    fake.run(&["watch", "1"]).failed(4, "there is no job 1");
    let mut done = samples::job("save-session");
    done.state = "done".into();
    fake.world()
        .jobs
        .insert("/org/ubuntu/Wendy/jobs/1".into(), done.clone());
    assert_eq!(fake.run(&["watch", "1"]).worked(), "Job 1 is done.\n");
    done.state = "failed".into();
    done.error = "org.ubuntu.Wendy.Error.Gone".into();
    done.message = "sdb was pulled out".into();
    fake.world()
        .jobs
        .insert("/org/ubuntu/Wendy/jobs/1".into(), done);
    fake.run(&["watch", "1"]).failed(10, "sdb was pulled out");
}

#[test]
fn leaving_a_watched_job_leaves_it_alone() {
    let fake = Fake::start();
    fake.world().course = Course::Endless;
    fake.world().jobs.insert(
        "/org/ubuntu/Wendy/jobs/1".into(),
        samples::job("save-session"),
    );
    let mut terminal = Terminal::start(&fake.bus, &["watch", "1"]);
    terminal.wait_for("Copying [");
    terminal.type_line("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, 6, "{shown}");
    assert!(shown.contains("job 1 goes on without you"), "{shown}");
    assert!(
        fake.world()
            .calls
            .iter()
            .all(|call| !call.starts_with("Cancel"))
    );
}

#[test]
fn watch_prints_what_happens_as_it_happens() {
    let fake = Fake::start();
    let mut watch = fake.bus.wendyctl(&["watch", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    fake.wait_for_call("GetManagedObjects");
    fake.world()
        .devices
        .insert(device_path(9), samples::device("/dev/sdc", 9));
    fake.announce("InterfacesAdded");
    let added: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&added["event"], &added["device"]["node"]),
        (&"added".into(), &"/dev/sdc".into())
    );
    fake.world().devices.remove(&device_path(9));
    fake.announce("InterfacesRemoved");
    let removed: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(
        (&removed["event"], &removed["device"]["id"]),
        (&"removed".into(), &"9".into())
    );
    interrupt(&watch);
    assert!(watch.wait().unwrap().success());
}
