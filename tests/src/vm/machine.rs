//! One emulated machine.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::console::{Console, Outcome};
use super::image::LiveImage;
use super::plugging::Ports;
use super::qmp::{Qmp, connect_patiently};
use super::slot::Slot;
use super::stick::{Plug, Stick};

/// The emulator, and what of the machine never changes: a memory image fits this machine only.
pub(super) const EMULATOR: &str = "/usr/bin/qemu-system-x86_64";
pub(super) const HARDWARE: &[&str] = &[
    "-accel",
    "tcg,thread=multi,tb-size=512",
    "-cpu",
    "max",
    "-smp",
    "2",
    "-m",
    "2048",
    "-nodefaults",
    "-vga",
    "std",
    "-display",
    "none",
    "-nic",
    "none",
    "-no-reboot",
    "-device",
    "qemu-xhci,id=xhci",
];

/// What every boot has on the kernel's command line, beside what its stack wants. The last one is for
/// the emulator's sake only.
const PARAMETERS: &str = "quiet console=ttyS0 mitigations=off";
/// A kernel that panics ends its machine, which may not reboot. On a machine that has other things to
/// do too, services and devices take longer than systemd waits.
pub(super) const UNATTENDED: &str =
    "panic=-1 systemd.default_timeout_start_sec=1800 systemd.default_device_timeout_sec=1800";

/// What a boot may take; with two idle processors it takes 80 s.
const BOOT: Duration = Duration::from_secs(1800);
/// What a command may take: far more than any needs on a machine that has other things to do.
const COMMAND: Duration = Duration::from_secs(600);

/// A running machine with a live system in it. Dropped, it is simply switched off.
#[derive(Debug)]
pub struct Vm {
    process: Child,
    qmp: Qmp,
    shell: Console,
    pub(super) ports: Ports,
    /// The stick that was plugged in as a slow one.
    pub(super) limited: Option<String>,
    dir: TempDir,
    _slot: Slot,
}

/// Where a machine begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin<'a> {
    /// At the image's kernel, with these further parameters.
    Kernel(&'a str),
    /// At its firmware, which starts what it finds.
    Firmware,
    /// In the middle of its life: the memory is read later.
    Asleep,
}

impl Vm {
    /// Boots the image with the sticks plugged in and waits for a root shell. `parameters` come
    /// after the image's own ones, as somebody adds them in the boot menu.
    pub fn boot(image: &LiveImage, parameters: &str, sticks: &[&Stick]) -> Result<Vm> {
        let mut vm = Vm::switch_on(image, parameters, sticks)?;
        vm.shell
            .take_over_login(BOOT)
            .with_context(|| vm.kernel_log())?;
        Ok(vm)
    }

    /// Begins such a boot and leaves it to itself.
    pub fn switch_on(image: &LiveImage, parameters: &str, sticks: &[&Stick]) -> Result<Vm> {
        let mut vm = Vm::begin(image, true, Begin::Kernel(parameters))?;
        for stick in sticks {
            vm.connect(stick, Plug::Fast)?;
        }
        vm.qmp.execute("cont", json!({}))?;
        Ok(vm)
    }

    /// Boots from a stick that holds a live system, as a PC with nothing else in it does, and waits
    /// for a root shell. The parameters are typed at the stick's own boot prompt.
    pub fn boot_from(stick: &Stick, image: &LiveImage, parameters: &str) -> Result<Vm> {
        let mut vm = Vm::begin(image, false, Begin::Firmware)?;
        vm.connect(stick, Plug::Fast)?;
        let mut prompt = vm.screen()?;
        vm.qmp.execute("cont", json!({}))?;
        read_up_to(&mut prompt, "boot:").with_context(|| vm.kernel_log())?;
        prompt.write_all(format!("live {UNATTENDED} {parameters}\r").as_bytes())?;
        vm.shell
            .take_over_login(BOOT)
            .with_context(|| vm.kernel_log())?;
        Ok(vm)
    }

    /// Starts the emulator, the machine in it standing still, with the image's medium in its drive
    /// or without.
    pub(super) fn begin(image: &LiveImage, medium: bool, begin: Begin<'_>) -> Result<Vm> {
        let slot = Slot::take();
        let dir = tempfile::tempdir()?;
        let process = emulator(image, medium, begin, dir.path())
            .spawn()
            .context(EMULATOR)?;
        let qmp = Qmp::connect(&dir.path().join("qmp"))?;
        let shell = Console::open(&dir.path().join("shell"))?;
        Ok(Vm {
            process,
            qmp,
            shell,
            ports: Ports::default(),
            limited: None,
            dir,
            _slot: slot,
        })
    }

    /// Lets a machine go on that was woken, and tells it what time it is by now.
    pub(super) fn go_on(&mut self) -> Result<()> {
        self.qmp.execute("cont", json!({}))?;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)?
            .as_secs();
        self.run(&format!("date -s @{now}"))?;
        Ok(())
    }

    /// The emulator's control socket, for what has no method here.
    pub fn qmp(&mut self) -> &mut Qmp {
        &mut self.qmp
    }

    /// The terminal, for what a person would type.
    pub fn terminal(&mut self) -> &mut Console {
        &mut self.shell
    }

    /// The first serial line, where the kernel talks and somebody is logged in too.
    pub fn screen(&self) -> Result<UnixStream> {
        connect_patiently(&self.dir.path().join("screen"))
    }

    /// Runs a command as root and gives its output; a status other than 0 is an error.
    pub fn run(&mut self, command: &str) -> Result<String> {
        let Outcome { status, output } = self.attempt(command)?;
        ensure!(
            status == 0,
            "`{command}` ended with status {status}:\n{output}"
        );
        Ok(output)
    }

    /// Runs a command as root that may well fail.
    pub fn attempt(&mut self, command: &str) -> Result<Outcome> {
        let outcome = self.shell.run(command, COMMAND);
        outcome.with_context(|| format!("`{command}`\n{}", self.kernel_log()))
    }

    /// Pulls the power plug: nothing that was not on a stick by now will ever get there.
    pub fn cut_power(self) {
        drop(self);
    }

    /// Shuts the system down properly and waits until the machine is off.
    pub fn shut_down(mut self) -> Result<()> {
        self.shell.type_line("systemctl poweroff")?;
        let ended = self.qmp.wait_for_end(BOOT);
        ended.with_context(|| format!("shutting down\n{}", self.kernel_log()))?;
        self.process.wait()?;
        Ok(())
    }

    /// The end of what the kernel said, for a failed test's message.
    fn kernel_log(&self) -> String {
        let log = std::fs::read(self.dir.path().join("kernel.log")).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(2000)..];
        format!(
            "the kernel's last words:\n{}",
            String::from_utf8_lossy(tail)
        )
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Both fail only when the emulator has ended by itself, which is just as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits for a text on a line that nobody else reads.
fn read_up_to(line: &mut UnixStream, text: &str) -> Result<()> {
    line.set_read_timeout(Some(BOOT))?;
    let mut heard = Vec::new();
    while !heard.ends_with(text.as_bytes()) {
        let mut byte = [0];
        line.read_exact(&mut byte).context("no boot prompt")?;
        heard.extend(byte);
    }
    Ok(())
}

fn emulator(image: &LiveImage, medium: bool, begin: Begin<'_>, dir: &Path) -> Command {
    let mut command = program(EMULATOR);
    command
        .args(HARDWARE)
        .arg("-S")
        .arg("-qmp")
        .arg(format!("unix:{}/qmp,server=on,wait=off", dir.display()))
        .arg("-serial")
        .arg("chardev:screen")
        .arg("-serial")
        .arg(format!("unix:{}/shell,server=on,wait=off", dir.display()))
        .arg("-chardev")
        .arg(format!(
            "socket,id=screen,path={0}/screen,server=on,wait=off,logfile={0}/kernel.log",
            dir.display()
        ))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if medium {
        let file = image.file("medium.iso");
        let file = file.display();
        command
            .arg("-drive")
            .arg(format!("file={file},if=virtio,format=raw,readonly=on"));
    }
    match begin {
        Begin::Kernel(parameters) => command
            .arg("-kernel")
            .arg(image.file("vmlinuz"))
            .arg("-initrd")
            .arg(image.file("initrd.img"))
            .arg("-append")
            .arg(format!(
                "{} {PARAMETERS} {UNATTENDED} {parameters}",
                image.parameters()
            )),
        Begin::Firmware => &mut command,
        Begin::Asleep => command.args(["-incoming", "defer"]),
    };
    command
}

/// A program of this machine's, to be run by the bench.
#[allow(
    clippy::disallowed_methods,
    reason = "the rule is for the product; this is its test bench"
)]
pub fn program(path: impl AsRef<Path>) -> Command {
    Command::new(path.as_ref())
}
