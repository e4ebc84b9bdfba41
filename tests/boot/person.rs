//! A person at a live system: what they type, and the work they would hate to lose.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use wendy_tests::vm::Vm;

use crate::wendy;

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// What the work consists of; one line each, as root.
const WORK: &[&str] = &[
    "install -d -o user -g user /home/user/report",
    "echo 'All about biofuel' > /home/user/report/text",
    "head -c 20M /dev/urandom > /home/user/report/data",
    "chown user:user /home/user/report/*",
    "dpkg -i $(find /run/live/medium /run/initramfs/live /cdrom -path '*/pool/hello_*.deb' 2>/dev/null)",
    "ln -sf ../usr/share/zoneinfo/Europe/Lisbon /etc/localtime",
    "rm /usr/share/common-licenses/GPL-1",
    "rm -r /usr/share/zoneinfo/Pacific && mkdir /usr/share/zoneinfo/Pacific",
    "touch -d '1999-12-31 23:59:59.123456789' /usr/share/zoneinfo/Pacific/Nauru",
];

/// What proves that it is all there; one line each, as root.
const PROOF: &[&str] = &[
    "grep -q biofuel /home/user/report/text",
    "[ \"$(stat -c %U /home/user/report/data)\" = user ]",
    "hello | grep -q 'Hello, world!'",
    "dpkg-query -W -f '${db:Status-Abbrev}' hello | grep -q '^ii'",
    "[ \"$(readlink /etc/localtime)\" = ../usr/share/zoneinfo/Europe/Lisbon ]",
    "[ ! -e /usr/share/common-licenses/GPL-1 ]",
    "[ \"$(ls /usr/share/zoneinfo/Pacific)\" = Nauru ]",
];

/// Lists everything below the directories that a boot itself leaves alone, with its metadata.
/// (bookworm mounts the media of the running system below /usr/lib/live.)
const INVENTORY: &str = "(find /usr /opt /srv /home/user/report -xdev \
     -path /usr/lib/live -prune -o -type d -printf '%p %m %U %G %T@\\n' \
     -o -printf '%p %y %m %U %G %s %T@ %l\\n'; sha256sum /home/user/report/*) | sort";

/// Works for an hour.
pub fn work(vm: &mut Vm) -> Result<()> {
    run_all(vm, WORK)
}

/// Finds it all as it was left.
pub fn find_work(vm: &mut Vm) -> Result<()> {
    run_all(vm, PROOF)
}

/// Notes what is there, in a file that is part of the session itself.
pub fn take_inventory(vm: &mut Vm) -> Result<()> {
    vm.run(&format!("{INVENTORY} > /home/user/inventory"))
        .map(drop)
}

/// Finds all that was noted, and nothing else.
pub fn compare_inventory(vm: &mut Vm) -> Result<()> {
    vm.run(&format!(
        "{INVENTORY} > /run/inventory; diff /home/user/inventory /run/inventory"
    ))
    .map(drop)
}

fn run_all(vm: &mut Vm, lines: &[&str]) -> Result<()> {
    lines.iter().try_for_each(|line| vm.run(line).map(drop))
}

/// Makes a store on a device: looks at the plan, then consents to it.
pub fn prepare(vm: &mut Vm, node: &str, options: &str) -> Result<Value> {
    let command = prepare_command(vm, node, options)?;
    wendyctl(vm, &command)
}

/// The command line that consents to the plan for this device.
pub fn prepare_command(vm: &mut Vm, node: &str, options: &str) -> Result<String> {
    wendy::catch_up(vm)?;
    let node = vm.run(&format!("readlink -f {node}"))?;
    let request = format!("prepare {} --name 'My stick' {options}", node.trim());
    let plan = wendyctl(vm, &format!("{request} --dry-run"))?;
    let token = text(&plan, "token")?;
    Ok(format!("{request} --yes --token {token}"))
}

/// Runs wendyctl as root and gives what it says to programs.
pub fn wendyctl(vm: &mut Vm, arguments: &str) -> Result<Value> {
    let said = vm.run(&format!("wendyctl --json {arguments}"))?;
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("wendyctl {arguments} said: {said}"))
}

/// The generation that counts of the session they save.
pub fn generation(vm: &mut Vm) -> Result<u64> {
    let session = wendyctl(vm, "session show 'Biofuel report'")?;
    number(&session, "generation")
}

/// Whether the session they save is offered.
pub fn find_session(vm: &mut Vm) -> Result<()> {
    wendy::catch_up(vm)?;
    let offered = vm.run("wendyctl sessions")?;
    if !offered.contains("Biofuel") {
        let journal = wendy::journal(vm, "wendyd");
        bail!("it is not among what is offered:\n{offered}\n{journal}");
    }
    Ok(())
}

/// A number of what wendyctl said.
pub fn number(facts: &Value, name: &str) -> Result<u64> {
    facts[name]
        .as_u64()
        .with_context(|| format!("no {name} in {facts}"))
}

/// A text of what wendyctl said.
pub fn text<'a>(facts: &'a Value, name: &str) -> Result<&'a str> {
    facts[name]
        .as_str()
        .with_context(|| format!("no {name} in {facts}"))
}
