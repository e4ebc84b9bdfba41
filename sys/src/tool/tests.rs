use std::{
    fs,
    os::fd::AsFd,
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, test_kill_process};

use super::*;
use crate::testing::{image, until};

fn shell(script: &str) -> Tool<'_> {
    Tool::new("sh").args(["-c", script])
}

#[test]
fn output_and_exit_code_come_back() {
    let output = shell("echo out; echo err >&2").run(&Cancel::new()).unwrap();
    assert_eq!(
        output,
        Output {
            code: 0,
            stdout: b"out\n".into(),
            stderr: b"err\n".into()
        }
    );
    assert_eq!(
        shell("exit 3").accept(3).run(&Cancel::new()).unwrap().code,
        3
    );
}

#[test]
fn a_failure_tells_its_last_words_without_control_characters() {
    let script = "yes | head -c 9000 >&2; printf 'no \\033[31mspace\\n' >&2; exit 4";
    let error = shell(script).run(&Cancel::new()).unwrap_err();
    let Error::Tool {
        tool,
        code,
        stderr_tail,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((tool.as_str(), *code), ("sh", Some(4)));
    assert!(stderr_tail.ends_with("no  [31mspace") && stderr_tail.len() <= STDERR_TAIL);
}

#[test]
fn a_signal_is_named() {
    let error = shell("kill -9 $$").run(&Cancel::new()).unwrap_err();
    assert!(error.to_string().contains("ended by signal 9"), "{error}");
}

#[test]
fn only_the_fixed_environment_reaches_a_tool() {
    // Whatever started this test, cargo and its library path included, stays outside.
    let output = Tool::new("env").run(&Cancel::new()).unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
    let directory = Tool::new("pwd").run(&Cancel::new()).unwrap();
    assert_eq!(directory.stdout, b"/\n");
}

#[test]
fn names_lead_to_the_systems_directories_only() {
    let planted = tempfile::tempdir().unwrap();
    fs::write(planted.path().join("planted"), "#!/bin/sh\n").unwrap();
    let path = planted.path().join("planted");
    for name in [
        path.to_str().unwrap(),
        "planted",
        "../bin/sh",
        "bin/sh",
        "./sh",
        "",
        ".",
    ] {
        let result = Tool::new(name).run(&Cancel::new());
        assert!(matches!(result, Err(Error::ToolMissing { .. })), "{name}");
    }
    assert!(find("sh").unwrap().starts_with("/usr/bin"));
}

#[test]
fn arguments_are_never_interpreted() {
    let nasty = ["$(id)", "`id`", "; id", "a b", "*", "", "\n", "--help"];
    let output = Tool::new("printf")
        .args(["%s\\0", "--"])
        .args(&nasty[1..])
        .run(&Cancel::new());
    let expected: Vec<u8> = ["--"]
        .iter()
        .chain(&nasty[1..])
        .flat_map(|s| [s.as_bytes(), b"\0"].concat())
        .collect();
    assert_eq!(output.unwrap().stdout, expected);
}

#[test]
fn large_input_and_output_do_not_block_each_other() {
    let input = vec![b'x'; 1 << 20];
    let script = "tee /dev/stderr; head -c 300000 /dev/zero >&2";
    let output = shell(script)
        .stdin_bytes(input.clone())
        .run(&Cancel::new())
        .unwrap();
    assert!(output.stdout == input && output.stderr.len() == input.len() + 300_000);
}

#[test]
fn a_tool_may_end_before_it_has_read_everything() {
    shell("exit 0")
        .stdin_bytes(vec![0; 1 << 20])
        .run(&Cancel::new())
        .unwrap();
}

#[test]
fn without_input_a_tool_reads_nothing() {
    assert_eq!(Tool::new("cat").run(&Cancel::new()).unwrap().stdout, b"");
}

#[test]
fn descriptors_are_passed_on_request_only() {
    let (passed, kept) = (image(4096), image(8192));
    let script = format!(
        "stat -Lc %s /proc/self/fd/{} && test ! -e /proc/self/fd/{}",
        passed.as_fd().as_raw_fd(),
        kept.as_fd().as_raw_fd(),
    );
    let output = shell(&script)
        .pass_fd(passed.as_fd())
        .run(&Cancel::new())
        .unwrap();
    assert_eq!(output.stdout, b"4096\n");
    // Another tool started at the same moment must not inherit it.
    assert!(shell(&script).run(&Cancel::new()).is_err());
}

#[test]
fn cancelling_ends_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    // The grandchild ignores SIGTERM and keeps the output pipe open.
    let script = format!(
        "(trap '' TERM; sleep 600) & echo $! > {0}.new; mv {0}.new {0}; wait",
        pid.display()
    );
    let cancel = Cancel::new();
    let (sender, receiver) = mpsc::channel();
    let worker = cancel.clone();
    thread::spawn(move || sender.send(shell(&script).run(&worker)).unwrap());
    let grandchild = wait_for_pid(&pid);
    cancel.cancel();
    let result = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    until(|| is_gone(grandchild));
}

#[test]
fn a_cancelled_job_starts_nothing() {
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(matches!(
        shell("exit 0").run(&cancel),
        Err(Error::Cancelled)
    ));
}

#[test]
fn helpers_left_behind_do_not_hold_us_up() {
    let started = Instant::now();
    let output = shell("sleep 600 & echo $!").run(&Cancel::new()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(60));
    let left = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    until(|| is_gone(Pid::from_raw(left).unwrap()));
}

fn wait_for_pid(path: &Path) -> Pid {
    until(|| path.exists());
    let number = fs::read_to_string(path).unwrap().trim().parse().unwrap();
    Pid::from_raw(number).unwrap()
}

/// Gone or a zombie that waits for the init process to take notice.
fn is_gone(pid: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_err() || status.is_ok_and(|stat| stat.contains(") Z "))
}
