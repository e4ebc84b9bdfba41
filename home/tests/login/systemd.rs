//! Logging in where systemd runs, which is played by scripts that note what they are asked.

use crate::common::command;
use crate::computer::{ANN, Computer, run};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
    let (script, asked) = (computer.file(tool), computer.file("asked"));
    let text = format!(
        "#!/bin/sh\necho {tool} \"$*\" >> {}\ncase \"$*\" in {cases} esac\n",
        asked.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    run(command("mount")
        .arg("--bind")
        .args([&script, &Path::new("/usr/bin").join(tool)]));
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
