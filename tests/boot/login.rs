//! A person who carries their home from one computer to another on a FAT stick, and then on one with
//! exFAT.

use anyhow::{Context, Result, ensure};
use wendy_tests::vm::{LiveImage, Plug, Stick, Suite, Vm};

use crate::desk;
use crate::person::MIB;
use crate::wendy;
use stick::{is_out_of_reach, leave_dirty, make_exfat, mount, mount_exfat};

mod stick;

/// The person's number on each of the two computers.
const HERE: u32 = 1100;
const ELSEWHERE: u32 = 1207;
/// Writes a mebibyte in a second.
const SLOW: Plug = Plug::Slow(MIB);

/// What a home is used for: version control, the databases of a browser, services of the session.
const WORK: &str = r#"[ -O . ]
[ "$(findmnt -no SOURCE "$HOME")" = wendy-home ]
git init -q paper
cd paper
git config user.name Ann
git config user.email ann@example.org
echo 'All about biofuel' > text
git add .
git commit -q -m First
[ -z "$(git status --porcelain)" ]
cd
sqlite3 places.db 'pragma journal_mode = wal; create table visits (url text);'
for i in 1 2 3 4; do
    sqlite3 -cmd '.timeout 60000' places.db "insert into visits values ('$i');
        insert into visits values ('again $i');" &
done
wait
[ "$(sqlite3 places.db 'select count(*) from visits')" = 8 ]
mkfifo pipe
echo through > pipe &
[ "$(cat pipe)" = through ]
perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Local => "socket", Listen => 1) or die;
    IO::Socket::UNIX->new(Peer => "socket")->print("hello\n"); $s->accept->getline eq "hello\n" or die'
printf '#!/bin/sh\necho it runs\n' > 'a:b'
chmod 750 'a:b'
ln 'a:b' Hard
ln -s 'a:b' hard"#;

/// That it is all there, and the person's own, on whatever computer.
const PROOF: &str = r#"[ "$(findmnt -no SOURCE "$HOME")" = wendy-home ]
cd paper
[ "$(stat -c '%U %G' text)" = 'ann ann' ]
[ "$(cat text)" = 'All about biofuel' ]
[ -z "$(git status --porcelain)" ]
git fsck --strict
[ "$(git log --format=%s)" = First ]
cd
[ "$(sqlite3 places.db 'pragma integrity_check; select count(*) from visits' | xargs)" = 'ok 8' ]
[ -p pipe ]
[ -S socket ]
[ "$(stat -c '%a %h' 'a:b')" = '750 2' ]
[ "$(readlink hard)" = 'a:b' ]
[ "$(./Hard)" = 'it runs' ]"#;

/// That nothing works, and nothing hangs, while the stick is away.
const WITHOUT_STICK: &str = "fails() { if timeout 20 \"$@\"; then exit 1; fi; }
fails sh -c 'echo more > later'
fails mkdir more
fails sh -c 'echo more >> kept && sync kept'
fails git -C paper commit --allow-empty -m Second
timeout 20 ls -l || [ $? != 124 ]";

#[test]
fn a_home_goes_from_one_computer_to_another() -> Result<()> {
    let image = LiveImage::of(Suite::Trixie)?;
    let stick = Stick::blank("STICK", 256 * MIB)?;
    let mut vm = computer(&image, HERE)?;
    without_a_home_it_says_how_to_get_one(&mut vm, &stick)?;
    vm.run(&format!(
        "{}; mkdir /mnt/pershome; umount /mnt",
        mount(&stick, "rw")
    ))?;
    programs_of_a_session_without_it_keep_it_away(&mut vm)?;
    log_in_with_home(&mut vm)?;
    is_out_of_reach(&mut vm, HERE)?;
    desk::does(&mut vm, WORK)?;
    who_stands_in_the_home_holds_no_login_up(&mut vm)?;
    any_computer_can_read_it(&mut vm, &stick)?;
    vm.pull(&stick)?;
    drop(vm);

    let mut vm = computer(&image, ELSEWHERE)?;
    let older = stick.copied("OLDER")?;
    vm.plug(&stick, Plug::Fast)?;
    log_in_with_home(&mut vm)?;
    desk::does(&mut vm, PROOF)?;
    it_survives_a_pull(&mut vm, &stick, &older)?;
    a_logout_waits_for_a_slow_stick(&mut vm)?;
    vm.run(&format!(
        "{}; [ \"$(cat /mnt/pershome/kept)\" = kept ]",
        mount(&stick, "ro")
    ))?;
    vm.run("[ \"$(cat /mnt/pershome/later)\" = later ]")?;
    vm.run("[ $(stat -c %s /mnt/pershome/much) = 33554432 ]; umount /mnt")?;
    make_exfat(&mut vm, &stick)?;
    it_lets_go_of_a_stick_that_stays_away(&mut vm, &stick)?;
    desk::log_out(&mut vm)?;
    an_image_survives_a_pull_too(&mut vm, &stick)
}

fn computer(image: &LiveImage, uid: u32) -> Result<Vm> {
    let mut vm = wendy::installed(image)?;
    desk::set_up(&mut vm, uid)?;
    Ok(vm)
}

/// One without any stick, one with a stick as it is sold.
fn without_a_home_it_says_how_to_get_one(vm: &mut Vm, stick: &Stick) -> Result<()> {
    desk::log_in_and_read(vm, "No stick with your home is plugged in")?;
    desk::does(vm, "touch here")?;
    desk::log_out(vm)?;
    vm.plug(stick, Plug::Fast)?;
    let node = stick.node();
    vm.run(&format!(
        "echo 'label: dos\n,,c' | sfdisk {node} && udevadm settle"
    ))?;
    vm.run(&format!(
        "mkfs.vfat -F 32 -n PHOTOS {node}-part1 && udevadm settle"
    ))?;
    desk::log_in_and_read(vm, "There is no home on the stick PHOTOS")?;
    let screen = vm.see("make a folder called pershome")?;
    ensure!(screen.contains("PHOTOS"), "the screen shows: {screen}");
    desk::does(vm, "[ -f here ]; nohup sleep 10000 > /dev/null 2>&1 &")?;
    desk::log_out(vm)
}

/// They work in the home of this computer.
fn programs_of_a_session_without_it_keep_it_away(vm: &mut Vm) -> Result<()> {
    desk::log_in_and_read(vm, "Programs of your last session still run")?;
    desk::does(
        vm,
        "[ -f here ]; [ -z \"$(findmnt -no SOURCE \"$HOME\")\" ]",
    )?;
    vm.run("pkill -u ann -x sleep")?;
    desk::log_out(vm)
}

fn log_in_with_home(vm: &mut Vm) -> Result<()> {
    desk::log_in_and_read(vm, "Your home is on the stick PHOTOS")
}

/// Logs out and waits until logind and systemd have put the home away.
fn log_out(vm: &mut Vm, uid: u32) -> Result<()> {
    desk::log_out(vm)?;
    wait_until_put_away(vm, uid)
}

/// systemd waits for minutes for a home that root is in; the next login waits for seconds.
fn who_stands_in_the_home_holds_no_login_up(vm: &mut Vm) -> Result<()> {
    vm.run("(cd /home/ann && exec setsid sleep 10000) > /dev/null 2>&1 < /dev/null &")?;
    desk::log_out(vm)?;
    let unit = format!("wendy-home@{HERE}.service");
    vm.run(&format!(
        "(for i in $(seq 240); do [ \"$(systemctl show -P ActiveState {unit})\" != deactivating ] \
         || exit 0; sleep 0.5; done; exit 1)"
    ))
    .with_context(|| desk::journal(vm))?;
    wait_for_words(vm, "name=sleep path=/home/ann", 1)?;
    desk::log_in_and_read(vm, "Programs still use your home of the last session")?;
    desk::does(vm, "[ -d /run/user/$(id -u) ]; [ -f here ]")?;
    vm.run("pkill -u root -x sleep")?;
    log_out(vm, HERE)
}

fn wait_until_put_away(vm: &mut Vm, uid: u32) -> Result<()> {
    let unit = format!("wendy-home@{uid}.service");
    vm.run(&format!(
        "state() {{ systemctl show -P ActiveState {unit}; }}; for i in $(seq 240); do \
         case $(state) in inactive|failed) break;; esac; sleep 0.5; done; \
         [ $(state) = inactive ] && ! grep wendy-home /proc/mounts"
    ))
    .with_context(|| desk::journal(vm))?;
    Ok(())
}

fn any_computer_can_read_it(vm: &mut Vm, stick: &Stick) -> Result<()> {
    vm.run(&format!("fsck.vfat -n {}-part1", stick.node()))?;
    vm.run(&mount(stick, "ro"))?;
    let text = vm.run("cat /mnt/pershome/paper/text")?;
    ensure!(text == "All about biofuel\n", "the text is now: {text:?}");
    vm.run("grep -q 'it runs' \"$(printf '/mnt/pershome/a\\xef\\x80\\xbab')\"")?;
    vm.run("grep -q 'YOUR FILES' /mnt/pershome/.wendy/VERSION.txt; umount /mnt")
        .map(drop)
}

/// The stick is pulled while the person is logged in, and plugged in again.
fn it_survives_a_pull(vm: &mut Vm, stick: &Stick, older: &Stick) -> Result<()> {
    // A program that keeps a file open must not be in the way of those who open it later.
    desk::does(
        vm,
        "echo kept > kept; sync kept .; [ ! -e later ]; sleep 10000 < kept > /dev/null 2>&1 &",
    )?;
    vm.pull(stick)?;
    wait_for_words(vm, "pulled while in use", 1)?;
    desk::does(vm, WITHOUT_STICK)?;
    another_state_of_it_is_refused(vm, older)?;
    vm.plug(stick, SLOW)?;
    wait_for_words(vm, "the home goes on", 1)?;
    vm.run(&format!(
        "udevadm info -q property {}-part1 | grep -qx UDISKS_AUTO=0",
        stick.node()
    ))
    .context("a desktop would mount it")?;
    desk::does(
        vm,
        "[ \"$(cat kept)\" = kept ]; echo later > later; sync later; pkill -u ann -x sleep",
    )?;
    desk::does(vm, PROOF)
}

/// Instead of the stick comes one that holds the same home as it was before this use; who logs in once
/// more hears of it.
fn another_state_of_it_is_refused(vm: &mut Vm, older: &Stick) -> Result<()> {
    vm.plug(older, Plug::Fast)?;
    wait_for_words(vm, "it came back but cannot be used", 1)?;
    vm.switch_console(3)?;
    desk::log_in_and_read(vm, "it has been used elsewhere since it was pulled")?;
    desk::log_out(vm)?;
    vm.switch_console(2)?;
    vm.pull(older)
}

/// Half a minute of writing, which begins before the logout and which the console tells of.
fn a_logout_waits_for_a_slow_stick(vm: &mut Vm) -> Result<()> {
    desk::does(vm, "head -c 32M /dev/zero > much")?;
    desk::log_out(vm)?;
    vm.see("still being written to the stick: leave it plugged in")?;
    wait_until_put_away(vm, ELSEWHERE)
}

/// The stick is pulled and does not come back.
fn it_lets_go_of_a_stick_that_stays_away(vm: &mut Vm, stick: &Stick) -> Result<()> {
    log_in_with_home(vm)?;
    vm.pull(stick)?;
    desk::log_out(vm)?;
    // The dead home may still be there: it keeps nobody waiting.
    desk::log_in_and_read(vm, "No stick with your home is plugged in")
}

/// The same with a home in an image, which is mounted anew: who was in it has to come in again.
fn an_image_survives_a_pull_too(vm: &mut Vm, stick: &Stick) -> Result<()> {
    vm.plug(stick, Plug::Fast)?;
    vm.run(&format!(
        "{}; rm -r /mnt/pershome; wendy-home create /mnt/pershome --mode image --size 64M; umount /mnt",
        mount_exfat(stick)
    ))?;
    let twin = stick.copied("TWIN")?;
    leave_dirty(vm, stick)?;
    log_in_with_home(vm)?;
    wait_for_words(vm, "checking its filesystem", 2)?;
    desk::does(vm, "[ -O . ]; mkdir paper; echo kept > kept; sync")?;
    vm.pull(stick)?;
    wait_for_words(vm, "pulled while in use", 3)?;
    desk::does(vm, WITHOUT_STICK)?;
    one_that_only_says_it_is_the_same_is_refused(vm, &twin)?;
    vm.plug(stick, Plug::Fast)?;
    wait_for_words(vm, "the home goes on", 2)?;
    let again = "cd; [ -O . ]; [ \"$(cat kept)\" = kept ]; echo later > later";
    desk::does(vm, again)?;
    log_out(vm, ELSEWHERE)?;
    vm.run(&format!("fsck.exfat -n {}-part1", stick.node()))?;
    vm.run(&format!(
        "{}; wendy-home fsck /mnt/pershome; umount /mnt",
        mount_exfat(stick)
    ))?;
    log_in_with_home(vm)?;
    desk::does(vm, "[ \"$(cat later)\" = later ]")?;
    it_stays_until_the_logout_without_the_package(vm)
}

fn it_stays_until_the_logout_without_the_package(vm: &mut Vm) -> Result<()> {
    vm.run("dpkg --remove wendy-home")?;
    desk::does(vm, "[ \"$(cat later)\" = later ]; echo last > last")?;
    log_out(vm, ELSEWHERE)
}

/// Instead of the stick comes one with the same identities, but without the secret that the login has put on
/// the stick.
fn one_that_only_says_it_is_the_same_is_refused(vm: &mut Vm, twin: &Stick) -> Result<()> {
    vm.plug(twin, Plug::Fast)?;
    wait_for_words(vm, "nothing on it tells that it is the same one", 1)?;
    vm.pull(twin)
}

/// Waits until the server of the home has said these words so many times since the machine started.
fn wait_for_words(vm: &mut Vm, words: &str, times: u32) -> Result<()> {
    let wait = format!(
        "for i in $(seq 240); do [ $(journalctl -b -u 'wendy-home@*' | grep -c '{words}') -lt {times} ] \
         || exit 0; sleep 0.5; done; exit 1"
    );
    let seen = vm.attempt(&format!("({wait})"))?;
    ensure!(seen.status == 0, "no {words:?}:\n{}", desk::journal(vm));
    Ok(())
}
