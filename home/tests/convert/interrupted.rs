//! Conversions that are killed, fail, and meet strangers.

use crate::common::{PROGRAM, command, succeed};
use crate::fill;
use crate::stick::{Stick, sh};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// Every step of a conversion, and visits of those that are met often.
const STEPS: [&str; 17] = [
    "convert.begin=return(kill)",
    "convert.begun=return(kill)",
    "image.reserve=return(kill)",
    "image.format=return(kill)",
    "image.begin=return(kill)",
    "image.made=return(kill)",
    "convert.fill=return(kill)",
    "convert.name=5*off->return(kill)",
    "convert.filled=return(kill)",
    "convert.check=return(kill)",
    "image.rename=return(kill)",
    "image.renamed=return(kill)",
    "convert.switch=return(kill)",
    "convert.remove=3*off->return(kill)",
    "convert.cleared=return(kill)",
    "convert.settled=return(kill)",
    "convert.end=return(kill)",
];

/// A conversion is stopped at every step in every way; whatever comes next finds the home whole.
fn stop_everywhere(action: &str) {
    let Some(stick) = Stick::new() else { return };
    stick.shown(fill);
    let before = stick.snapshot();
    let mut stopped = 0;
    for step in STEPS {
        let step = step.replace("kill", action);
        for to in ["image", "files"] {
            let from = stick.mode();
            assert_ne!(from, to, "{step}");
            let output = stick.convert(to, &step);
            let mode = stick.mode();
            if output.status.success() {
                // It does not come by here in this direction.
                stick.assert_tidy(to);
                continue;
            }
            stopped += 1;
            let by_kill = output.status.signal() == Some(9);
            assert_eq!(by_kill, action == "kill", "{step}: {output:?}");
            stick.assert_holds(&before, &format!("{step} to {to}, was {mode}"));
            assert_eq!(
                stick.mode(),
                mode,
                "{step} to {to}: it has changed its mind"
            );
            stick.assert_tidy(&mode);
            if mode == from {
                stick.must_convert(to);
            }
            stick.assert_holds(&before, &format!("{step} to {to}, again"));
            stick.assert_tidy(to);
        }
    }
    assert!(stopped >= STEPS.len(), "{stopped}");
}

#[test]
fn killed_at_any_step_one_whole_home_is_there() {
    stop_everywhere("kill");
}

#[test]
fn failing_at_any_step_one_whole_home_is_there() {
    stop_everywhere("enospc");
}

#[test]
fn what_undoes_or_completes_can_be_killed_as_well() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(fill);
    let before = stick.snapshot();
    // Before the switch to either mode, and after it.
    let begun = ["convert.check", "convert.cleared", "convert.settled"];
    let resumed = [
        "convert.remove=2*off->return(kill)",
        "convert.unmade=return(kill)",
        "convert.settled=return(kill)",
        "convert.end=return(kill)",
    ];
    for (first, second) in begun.iter().flat_map(|it| resumed.map(|other| (it, other))) {
        for to in ["image", "files"] {
            stick.convert(to, &format!("{first}=return(kill)"));
            let mode = stick.mode();
            // Whoever uses it next is killed in turn.
            let mut next = command(PROGRAM);
            next.args(["fsck", "--repair", stick.home()]);
            next.env("WENDY_FAILPOINTS", second).output().unwrap();
            assert_eq!(stick.mode(), mode, "{first}, {second}");
            stick.assert_holds(&before, &format!("{first}, {second}"));
            if stick.mode() != to {
                stick.must_convert(to);
            }
            stick.assert_tidy(to);
        }
    }
}

#[test]
fn what_a_stranger_adds_to_an_interrupted_conversion_stays() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| sh(home, "mkdir dir; echo one > dir/one; echo two > two"));
    let stopped = |to: &str, step: &str| {
        let step = format!("{step}=return(kill)");
        assert!(!stick.convert(to, &step).status.success());
    };
    // The image is in force, the files are to go.
    stopped("image", "convert.remove");
    sh(
        &stick.home,
        "echo new > dir/new; echo edited >> two; echo top > top",
    );
    let inside = stick.snapshot();
    assert!(inside.contains_key(Path::new("dir/one")) && !inside.contains_key(Path::new("top")));
    let read = |path: &str| fs::read_to_string(stick.home.join(path)).unwrap();
    assert_eq!(
        (read("dir/new"), read("two"), read("top")),
        ("new\n".into(), "two\nedited\n".into(), "top\n".into())
    );
    assert!(!stick.home.join("dir/one").exists());
    sh(&stick.home, "rm -r dir two");
    // The image is in force, files are being built.
    stopped("files", "convert.check");
    sh(&stick.home, "echo again > top2");
    stick.assert_holds(&inside, "");
    assert_eq!(
        (read("top"), read("top2")),
        ("top\n".into(), "again\n".into())
    );
    // Then they are adopted, as everything a stranger adds.
    stick.must_convert("files");
    let files = stick.snapshot();
    assert!(files.contains_key(Path::new("top2")) && files.contains_key(Path::new("dir/one")));
    // The files are in force, an image is being built, and the stranger has one as well.
    stopped("image", "convert.fill");
    fs::write(stick.home.join("home.img"), "not what it seems").unwrap();
    let files = stick.snapshot();
    assert_eq!(files.len(), 7);
    assert_eq!(read("home.img"), "not what it seems");
}

#[test]
fn a_reader_sees_the_home_in_force_and_nothing_of_the_other() {
    let Some(stick) = Stick::new() else { return };
    stick.shown(|home| sh(home, "echo dear > letter"));
    for (to, step) in [
        ("image", "image.renamed"),
        ("image", "convert.switch"),
        ("files", "convert.check"),
        ("files", "convert.settled"),
    ] {
        if stick.mode() == to {
            stick.must_convert(if to == "image" { "files" } else { "image" });
        }
        stick.convert(to, &format!("{step}=return(kill)"));
        let dump = succeed(&["dump", stick.home()]);
        assert_eq!(dump.lines().count(), 2, "{step}: {dump}");
        assert!(
            dump.contains("letter") && !dump.contains("home.img"),
            "{step}: {dump}"
        );
        let tar = stick.home.parent().unwrap().join("archive.tar");
        succeed(&["export", stick.home(), tar.to_str().unwrap()]);
        let list = command("tar").arg("-tf").arg(&tar).output().unwrap();
        assert_eq!(String::from_utf8(list.stdout).unwrap(), "./\n./letter\n");
        fs::remove_file(tar).unwrap();
    }
}
