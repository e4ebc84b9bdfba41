//! Logging in where systemd runs, which is played by scripts that note what they are asked.

use crate::computer::{ANN, Computer, UID};
use std::fs;

const REFUSED: &str = "Programs of your last session still run";

/// What systemctl(1) and loginctl(1) answer.
struct Played {
    unit: &'static str,
    user: &'static str,
    sessions: &'static str,
    class: &'static str,
}

/// A unit that does nothing, and a user who is not there.
const NOTHING: Played = Played {
    unit: "echo inactive",
    user: "exit 1",
    sessions: "",
    class: "",
};

impl Played {
    fn on(&self, computer: &Computer) {
        fs::create_dir_all("/run/systemd/system").unwrap();
        let unit = format!("*=ActiveState*wendy-home*) {} ;;", self.unit);
        let other = "*=ActiveState*) echo inactive ;; *=SystemState*) echo running ;;";
        play(
            computer,
            "systemctl",
            &format!("{unit} {other} *=Job*) echo 77 ;;"),
        );
        let sessions = format!("*=Sessions*) echo '{}' ;;", self.sessions);
        let rest = format!(
            "*=State*) {} ;; *=Class*) echo '{}' ;;",
            self.user, self.class
        );
        play(computer, "loginctl", &format!("{sessions} {rest}"));
    }
}

/// Puts a script in the place of a tool.
fn play(computer: &Computer, tool: &str, cases: &str) {
    let asked = computer.file("asked");
    let script = format!(
        "#!/bin/sh\necho {tool} \"$*\" >> {}\ncase \"$*\" in {cases} esac\n",
        asked.display()
    );
    computer.play(&format!("/usr/bin/{tool}"), &script);
}

fn asked(computer: &Computer) -> String {
    fs::read_to_string(computer.file("asked")).unwrap()
}

#[test]
fn a_home_that_is_still_let_go_holds_no_login_up() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let ending = Played {
        unit: "echo deactivating",
        ..NOTHING
    };
    ending.on(&computer);
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("still use your home of the last"), "{said}");
    let asked = asked(&computer);
    assert!(asked.contains("systemctl cancel 77\n"), "{asked}");
    assert!(!asked.contains("systemctl start"), "{asked}");
}

#[test]
fn no_home_is_put_over_programs_of_a_session_that_began_without() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let left = Played {
        user: "echo closing",
        sessions: "3 7",
        class: "manager\n\nuser",
        ..NOTHING
    };
    left.on(&computer);
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains(REFUSED), "{said}");
    assert!(said.contains("loginctl terminate-user ann"), "{said}");
    let asked = asked(&computer);
    assert!(!asked.contains("systemctl start"), "{asked}");
    assert!(!asked.contains("systemctl stop"), "{asked}");
}

#[test]
fn the_manager_alone_is_in_nobodys_way() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let manager = Played {
        user: "echo closing",
        sessions: "3",
        class: "manager",
        ..NOTHING
    };
    manager.on(&computer);
    let said = computer.log_in(ANN).log_out();
    assert!(!said.contains(REFUSED), "{said}");
    let asked = asked(&computer);
    let (stop, start) = (
        asked.find(&format!("systemctl stop user@{UID}.service\n")),
        asked.find(&format!("systemctl start wendy-home@{UID}.service\n")),
    );
    assert!(stop.is_some() && stop < start, "{asked}");
}

#[test]
fn who_may_be_logged_in_already_gets_no_home() {
    let Some(computer) = Computer::new(true) else {
        return;
    };
    let late = Played {
        user: "exec sleep 60",
        ..NOTHING
    };
    late.on(&computer);
    let said = computer.log_in(ANN).log_out();
    assert!(said.contains("does not say whether"), "{said}");
    let asked = asked(&computer);
    assert!(!asked.contains("systemctl start"), "{asked}");
}
