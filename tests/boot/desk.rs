//! Somebody who logs in at the second console with a name and a password, and works there; at the third
//! one as well, if need be.

use anyhow::{Context, Result, ensure};
use wendy_tests::vm::{Outcome, Vm};

use crate::wendy;

/// The login name; the home is to be on a stick.
pub const NAME: &str = "ann";
const PASSWORD: &str = "biofuel";

/// Asks for a name and a password, on a system that lets everybody in otherwise. What is to be done
/// is written by root, so that it need not be typed.
const SETUP: &str = r"set -e
install -d -m 777 /srv/desk
for console in tty2 tty3; do
    install -d /run/systemd/system/getty@$console.service.d
    printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty - $TERM\n' \
        > /run/systemd/system/getty@$console.service.d/zz-ask.conf
done
echo 'sh -eux /srv/desk/job > /srv/desk/said 2>&1; echo $? > /srv/desk/status' > /srv/desk/do
systemctl daemon-reload && systemctl start getty@tty2 getty@tty3";

/// How often one logs in again when that is the advice.
const LOGINS: u32 = 4;
/// Seconds after which work that has not ended is said to hang.
const LONGEST: u32 = 240;

/// A machine at which one can log in, the person's account on it being number `uid`.
pub fn set_up(vm: &mut Vm, uid: u32) -> Result<()> {
    vm.run(&format!(
        "useradd -m -s /bin/bash -u {uid} {NAME} && echo {NAME}:{PASSWORD} | chpasswd"
    ))?;
    vm.run(&format!(
        "{SETUP}\necho {NAME} > /etc/ltsp/persistent_homes"
    ))?;
    vm.switch_console(2)
}

/// Logs in; what the screen shows then, in one line.
pub fn log_in(vm: &mut Vm) -> Result<String> {
    vm.see("login:")
        .with_context(|| wendy::journal(vm, "getty@*"))?;
    vm.type_at_keyboard(NAME)?;
    vm.see("Password:")?;
    vm.type_unseen(PASSWORD)?;
    let screen = vm.see(&format!("{NAME}@"))?;
    // Lines end where the screen does, in the middle of words.
    Ok(screen.replace('\n', ""))
}

/// Logs in and finds these words on the screen; follows the advice of a login that has waited for too
/// long on a machine with much to do.
pub fn log_in_and_read(vm: &mut Vm, words: &str) -> Result<()> {
    let mut screen = log_in(vm)?;
    for _ in 0..LOGINS {
        if screen.contains(words) || !screen.contains("Log out and in again") {
            break;
        }
        log_out(vm)?;
        screen = log_in(vm)?;
    }
    if screen.contains(words) {
        return Ok(());
    }
    let journal = journal(vm);
    ensure!(false, "no {words:?} on the screen: {screen}\n{journal}");
    Ok(())
}

/// Logs out, so that nothing of the session is on the screen; what runs for the person ends a while later.
pub fn log_out(vm: &mut Vm) -> Result<()> {
    vm.type_at_keyboard("clear; exit")?;
    vm.run(&format!(
        "while grep -qaF '{NAME}@' /dev/vcs; do sleep 0.1; done"
    ))
    .map(drop)
}

/// Does something in the session that must succeed.
pub fn does(vm: &mut Vm, job: &str) -> Result<()> {
    let Outcome { status, output } = tries(vm, job)?;
    if status == 0 {
        return Ok(());
    }
    let journal = journal(vm);
    ensure!(false, "it ended with {status}:\n{output}\n{journal}");
    Ok(())
}

/// Does something in the session.
fn tries(vm: &mut Vm, job: &str) -> Result<Outcome> {
    vm.run(&format!(
        "rm -f /srv/desk/status; cat > /srv/desk/job <<'JOB'\n{job}\nJOB"
    ))?;
    vm.type_at_keyboard("clear; . /srv/desk/do")?;
    let wait = format!(
        "for i in $(seq {}); do [ ! -s /srv/desk/status ] || break; sleep 0.5; done; \
         cat /srv/desk/status",
        LONGEST * 2
    );
    let status = vm.run(&wait).with_context(|| format!("it hangs:\n{job}"))?;
    Ok(Outcome {
        status: status.trim().parse()?,
        output: vm.run("cat /srv/desk/said")?,
    })
}

/// What the unit of the home has said, for a failed test's message.
pub fn journal(vm: &mut Vm) -> String {
    wendy::journal(vm, "wendy-home@*")
}
