//! Names that strangers gave their sticks never reach the terminal as they are.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::fake::Fake;
use common::samples;

const NAMES: [&str; 9] = [
    "\x1b[2J\x1b[H\x1b]0;owned\x07",
    "free\nsdb  empty  free",
    "a\rb\tc\u{8}\u{7f}",
    "\u{9b}31m\u{90}",
    "good\u{202e}daer\u{2066}\u{200f}",
    "x\u{200b}\u{feff}\u{2028}\u{e0041}",
    "%n%s $(reboot) `x` ; </tt> ../..",
    "--yes",
    "\" on sda: free\"",
];

/// Puts a name wherever a stranger's words can come from.
fn call_everything(fake: &Fake, name: &str) {
    let mut world = fake.world();
    for device in world.devices.values_mut() {
        device.label = name.into();
        device.vendor = name.into();
        device.model = name.into();
        device.serial = name.into();
        device.filesystem_type = name.into();
        device.in_use_by = vec![name.into()];
        device.in_use = true;
    }
    for store in world.stores.values_mut() {
        store.name = name.into();
        store.problem = name.into();
    }
    for session in world.sessions.values_mut() {
        session.name = name.into();
        session.kernel = name.into();
        session.kernel_parameters = name.into();
    }
    let mut job = samples::job(name);
    job.phase = name.into();
    world
        .jobs
        .insert("/org/ubuntu/Wendy/jobs/8".into(), job.clone());
    job.state = "failed".into();
    job.message = name.into();
    world.jobs.insert("/org/ubuntu/Wendy/jobs/9".into(), job);
    world.prepare_plan.lost[0].label = Some(name.into());
    world.prepare_plan.warnings = vec![name.into()];
    world.save_plan.exclude = vec![name.into()];
    world.save_plan.name = name.into();
    world.facts.kernel_parameters = Some(name.into());
    world.facts.warnings = Some(vec![name.into()]);
    world.system.state_reason = name.into();
    world.system.state_message = name.into();
    world.system.running_session_name = name.into();
    world.system.state = "read-only".into();
}

#[test]
fn no_command_lets_a_name_steer_the_terminal() {
    let commands: [&[&str]; 12] = [
        &["status"],
        &["devices", "--all"],
        &["sessions"],
        &["session", "show", "11112222"],
        &["jobs"],
        &["report"],
        &["prepare", "sda", "--name", "x", "--dry-run"],
        &["save", "Evening", "--dry-run"],
        &["save", "Evening"],
        &["default", "11112222"],
        &["rename", "11112222", "x"],
        &["watch", "9"],
    ];
    for name in NAMES {
        let fake = Fake::start();
        call_everything(&fake, name);
        for command in commands {
            for json in [&[][..], &["--json"]] {
                let ran = fake.run(&[command, json].concat());
                let shown = format!("{}{}", ran.out, ran.err);
                assert!(is_harmless(&shown), "{command:?} {json:?}: {shown:?}");
            }
        }
        let rows = fake.run(&["devices", "--all"]).worked().lines().count();
        assert_eq!(rows, 1 + fake.world().devices.len(), "a row is a device");
    }
}

#[test]
fn errors_are_made_harmless_too() {
    let fake = Fake::start();
    fake.world().refusal = Some(("Failed", "the stick \x1b[31m\u{202e} is not good"));
    let ran = fake.run(&["save", "Evening"]);
    assert!(
        is_harmless(&ran.err) && ran.err.contains("\\u{1b}[31m\\u{202e}"),
        "{ran:?}"
    );
    let ran = fake.run(&["session", "show", "\x1b[2J"]);
    assert!(
        is_harmless(&ran.err) && ran.err.contains("\\u{1b}[2J"),
        "{ran:?}"
    );
}

#[test]
fn json_carries_names_exactly() {
    let fake = Fake::start();
    for name in NAMES {
        fake.world()
            .stores
            .values_mut()
            .for_each(|store| store.name = name.into());
        let ran = fake.run(&["sessions", "--json"]);
        assert!(
            ran.out.is_ascii() && ran.out.lines().count() == 1,
            "{ran:?}"
        );
        assert_eq!(ran.json()[0]["stores"][0]["name"], name);
    }
}

fn is_harmless(shown: &str) -> bool {
    let steering = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    !shown.contains(steering)
}
