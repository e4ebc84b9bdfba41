//! wendy's package on a live system, and its long operations caught in the middle.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use wendy_tests::vm::{LiveImage, Outcome, Stick, Vm};

/// A live system on which somebody has installed the package that `make deb` made.
pub fn installed(image: &LiveImage) -> Result<Vm> {
    Vm::wake_with(image, &packages()?)
}

/// The same on a machine that was started from a stick with nothing on it but the image.
pub fn installed_on_a_live_stick(image: &LiveImage) -> Result<(Vm, Stick)> {
    Vm::wake_from_stick(image, &packages()?)
}

fn packages() -> Result<Vec<PathBuf>> {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let files = std::fs::read_dir(&dist).context("no package to install: run `make deb` first")?;
    let mut packages = files
        .map(|file| Ok(file?.path()))
        .collect::<Result<Vec<PathBuf>>>()?;
    packages.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.sort();
    ensure!(
        !packages.is_empty(),
        "no package in {}: run `make deb` first",
        dist.display()
    );
    Ok(packages)
}

/// Waits until the daemon shows the sticks that the kernel has, has looked into them, and has
/// forgotten the one before.
pub fn catch_up(vm: &mut Vm) -> Result<()> {
    vm.run(CATCH_UP).map(drop)
}

const CATCH_UP: &str = r#"plugged() {
    for disk in /sys/block/sd*; do
        [ -e $disk/diskseq ] || continue
        cat $disk/diskseq
        for number in $disk/sd*/partition; do
            [ ! -e $number ] || echo "$(cat $disk/diskseq)_p$(cat $number)"
        done
    done | sort
}
known() {
    ! echo "$1" | grep -q '"examined":false' || return
    echo "$1" | grep -o '"id":"[^"]*","node":"/dev/sd' | cut -d'"' -f4 | sort
}
until [ "$(plugged)" = "$(known "$(wendyctl --json devices --all)")" ]; do sleep 0.1; done"#;

/// What a service said last, for those who have to find out why.
pub fn journal(vm: &mut Vm, unit: &str) -> String {
    let journal = format!(
        "journalctl -b --no-pager -o short-monotonic --no-hostname -u '{unit}' | tail -n 150"
    );
    vm.run(&journal).unwrap_or_else(|error| error.to_string())
}

/// A moment in the life of a job.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// It has dealt with that many bytes.
    Bytes(u64),
    /// It has come to that phase, as wendyctl says at once.
    Phase(&'static str),
}

/// The most bytes that a job has dealt with in any of its phases, as wendyctl tells.
const BYTES: &str = "grep -o '\"bytes_done\":[0-9]*' /run/said | cut -d: -f2 | sort -n | tail -n 1";

/// Starts a command of wendyctl's in the background and waits for a moment of its job; an error when
/// the command ends before.
pub fn start_and_reach(vm: &mut Vm, arguments: &str, moment: Moment) -> Result<()> {
    vm.run(&format!(
        "rm -f /run/ended; \
         (wendyctl --json {arguments} > /run/said 2>&1; echo $? > /run/ended) > /dev/null 2>&1 &"
    ))?;
    let reached = match moment {
        Moment::Bytes(bytes) => format!("[ \"$({BYTES})\" -ge {bytes} ]"),
        Moment::Phase(phase) => format!("grep -q '\"phase\":\"{phase}\"' /run/said"),
    };
    let wait = format!("until {reached}; do [ ! -s /run/ended ] || exit 1; sleep 0.05; done");
    if vm.attempt(&format!("({wait}) 2>/dev/null"))?.status != 0 {
        bail!(
            "`{arguments}` ended before {moment:?}: {:?}",
            wait_for_end(vm)?
        );
    }
    Ok(())
}

/// Waits for that command to end.
pub fn wait_for_end(vm: &mut Vm) -> Result<Outcome> {
    let status = vm.run("until [ -s /run/ended ]; do sleep 0.2; done; cat /run/ended")?;
    let output = vm.run("cat /run/said")?;
    Ok(Outcome {
        status: status.trim().parse()?,
        output,
    })
}
