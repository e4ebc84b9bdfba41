//! `wendyctl report`: what a bug report needs and nothing that is private.
//!
//! Names, labels, serial numbers, UUIDs and texts that could carry them are left out. Objects are
//! numbered instead, so that one can still see what belongs together.

use std::fs;

use serde::Serialize;
use wendy_dbus::objects::{Device, Job, Session, Store};
use wendy_dbus::paths;
use wendy_text::json;

use crate::bus::Bus;
use crate::error::Failure;
use crate::output::Output;
use crate::world::{Object, World, short};

/// Words of the kernel command line that say how a live system is set up. Others may hold anything.
const KERNEL_WORDS: [&str; 24] = [
    "boot",
    "casper",
    "components",
    "cow_label",
    "fromiso",
    "ignore_uuid",
    "layerfs-path",
    "maybe-ubiquity",
    "nopersistence",
    "persistence",
    "persistence-encryption",
    "persistence-media",
    "persistence-method",
    "persistence-read-only",
    "persistence-storage",
    "persistent",
    "rd.live.image",
    "rd.live.overlay.overlayfs",
    "rd.live.ram",
    "rd.overlay",
    "ro",
    "toram",
    "union",
    "writable",
];

#[derive(Serialize)]
struct Report<'a> {
    wendyctl: &'a str,
    wendyd: &'a str,
    system: String,
    kernel: String,
    kernel_words: Vec<String>,
    live_stack: &'a str,
    upper_kind: &'a str,
    state: &'a str,
    used: u64,
    size: u64,
    capabilities: &'a [String],
    devices: Vec<DeviceReport<'a>>,
    stores: Vec<StoreReport<'a>>,
    sessions: Vec<SessionReport<'a>>,
    jobs: Vec<JobReport<'a>>,
}

#[derive(Serialize)]
struct DeviceReport<'a> {
    device: &'a str,
    product: String,
    bus: &'a str,
    size: u64,
    removable: bool,
    read_only: bool,
    system: bool,
    boot_medium: bool,
    in_use: bool,
    filesystem: &'a str,
    labelled: bool,
}

#[derive(Serialize)]
struct StoreReport<'a> {
    store: Option<usize>,
    device: &'a str,
    kind: &'a str,
    locked: bool,
    foreign: bool,
    filesystem: &'a str,
    size: u64,
    free: u64,
    writable: bool,
    problem: &'a str,
}

#[derive(Serialize)]
struct SessionReport<'a> {
    store: Option<usize>,
    stack: &'a str,
    upper_kind: &'a str,
    state: &'a str,
    default: bool,
    compatible: bool,
    kernel: &'a str,
    generation: u32,
    size: u64,
    files: u64,
}

#[derive(Serialize)]
struct JobReport<'a> {
    operation: &'a str,
    state: &'a str,
    phase: &'a str,
    error: &'a str,
    bytes_done: u64,
    bytes_total: u64,
}

/// Prints the report: JSON either way, laid out for people without --json.
pub async fn run(output: &Output) -> Result<(), Failure> {
    let world = Bus::connect().await?.examined_world().await?;
    let report = report(&world);
    output.object(&report)?;
    output.line(json::pretty(&report))
}

fn report(world: &World) -> Report<'_> {
    let system = &world.system;
    Report {
        wendyctl: env!("CARGO_PKG_VERSION"),
        wendyd: &system.version,
        system: distribution(),
        kernel: read("/proc/sys/kernel/osrelease"),
        kernel_words: kernel_words(&read("/proc/cmdline")),
        live_stack: &system.live_stack,
        upper_kind: &system.upper_kind,
        state: &system.state,
        used: system.upper_used,
        size: system.upper_size,
        capabilities: &system.capabilities,
        devices: world
            .devices
            .iter()
            .map(|device| device_report(device))
            .collect(),
        stores: world
            .stores
            .iter()
            .map(|store| store_report(world, store))
            .collect(),
        sessions: world
            .sessions
            .iter()
            .map(|session| session_report(world, session))
            .collect(),
        jobs: world.jobs.iter().map(|job| job_report(job)).collect(),
    }
}

fn device_report(device: &Device) -> DeviceReport<'_> {
    DeviceReport {
        device: short(&device.device_node),
        product: format!("{} {}", device.vendor, device.model)
            .trim()
            .to_owned(),
        bus: &device.bus,
        size: device.size,
        removable: device.removable,
        read_only: device.read_only,
        system: device.system,
        boot_medium: device.boot_medium,
        in_use: device.in_use,
        filesystem: &device.filesystem_type,
        labelled: !device.label.is_empty(),
    }
}

fn store_report<'a>(world: &'a World, store: &'a Object<Store>) -> StoreReport<'a> {
    StoreReport {
        store: number(world, &store.path),
        device: world.place(store),
        kind: &store.kind,
        locked: store.locked,
        foreign: !store.foreign.is_empty(),
        filesystem: &store.filesystem,
        size: store.size,
        free: store.free,
        writable: store.writable,
        problem: &store.problem,
    }
}

fn session_report<'a>(world: &World, session: &'a Object<Session>) -> SessionReport<'a> {
    SessionReport {
        store: number(world, &session.store),
        stack: &session.stack,
        upper_kind: &session.upper_kind,
        state: &session.state,
        default: world.is_default(session),
        compatible: session.compatible,
        kernel: &session.kernel,
        generation: session.generation,
        size: session.size,
        files: session.files,
    }
}

fn job_report(job: &Job) -> JobReport<'_> {
    JobReport {
        operation: &job.operation,
        state: &job.state,
        phase: &job.phase,
        error: &job.error,
        bytes_done: job.bytes_done,
        bytes_total: job.bytes_total,
    }
}

/// Stores are numbered from 1 in place of their names.
fn number(world: &World, store: &zbus::OwnedObjectPath) -> Option<usize> {
    let known = !paths::is_none(store.as_str());
    known
        .then(|| world.stores.iter().position(|other| other.path == *store))
        .flatten()
        .map(|n| n + 1)
}

fn kernel_words(line: &str) -> Vec<String> {
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let harmless = |word: &&str| KERNEL_WORDS.contains(&name(word).as_str());
    line.split_ascii_whitespace()
        .filter(harmless)
        .map(name)
        .collect()
}

fn distribution() -> String {
    let release = read("/etc/os-release");
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("unknown").trim_matches('"').to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_of_the_kernel_command_line_are_told() {
        let line = "BOOT_IMAGE=/live/vmlinuz boot=live persistence persistence-label=secret user=anna toram";
        assert_eq!(kernel_words(line), ["boot", "persistence", "toram"]);
    }
}
