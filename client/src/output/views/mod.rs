//! What each object looks like as JSON.
//!
//! These structs are the documented schema (`JSON.md`): keys are added, never renamed or removed.
//! They are apart from the wire types so that the bus may grow without this changing. Sizes are
//! bytes, times are seconds since 1970, "no object" is null.

mod plans;

use serde::Serialize;
use wendy_dbus::objects::{Device, Job, Session, Store};

pub use plans::{PreparePlanView, SavePlanView};

use crate::error::Failure;
use crate::world::{Object, World, reference};

/// A device of `devices` and `watch`.
#[derive(Debug, Serialize)]
pub struct DeviceView<'a> {
    id: &'a str,
    node: &'a str,
    disk_seq: u64,
    vendor: &'a str,
    model: &'a str,
    serial: &'a str,
    bus: &'a str,
    size: u64,
    removable: bool,
    read_only: bool,
    system: bool,
    boot_medium: bool,
    in_use: bool,
    in_use_by: &'a [String],
    filesystem: &'a str,
    label: &'a str,
    uuid: &'a str,
    store: Option<&'a str>,
    examined: bool,
    parent: Option<&'a str>,
}

impl<'a> DeviceView<'a> {
    /// The view of a device.
    pub fn new(device: &'a Object<Device>) -> Self {
        Self {
            id: device.id(),
            node: &device.device_node,
            disk_seq: device.disk_seq,
            vendor: &device.vendor,
            model: &device.model,
            serial: &device.serial,
            bus: &device.bus,
            size: device.size,
            removable: device.removable,
            read_only: device.read_only,
            system: device.system,
            boot_medium: device.boot_medium,
            in_use: device.in_use,
            in_use_by: &device.in_use_by,
            filesystem: &device.filesystem_type,
            label: &device.label,
            uuid: &device.uuid,
            store: reference(&device.store),
            examined: device.examined,
            parent: reference(&device.parent),
        }
    }
}

/// A store of `sessions` and `watch`.
#[derive(Debug, Serialize)]
pub struct StoreView<'a> {
    id: &'a str,
    name: &'a str,
    device: Option<&'a str>,
    kind: &'a str,
    locked: bool,
    foreign: &'a str,
    filesystem: &'a str,
    size: u64,
    free: u64,
    writable: bool,
    problem: &'a str,
    default_session: Option<&'a str>,
}

impl<'a> StoreView<'a> {
    /// The view of a store.
    pub fn new(store: &'a Object<Store>) -> Self {
        Self {
            id: store.id(),
            name: &store.name,
            device: reference(&store.device),
            kind: &store.kind,
            locked: store.locked,
            foreign: &store.foreign,
            filesystem: &store.filesystem,
            size: store.size,
            free: store.free,
            writable: store.writable,
            problem: &store.problem,
            default_session: reference(&store.default_session),
        }
    }
}

/// A session of `sessions`, `session show` and `watch`.
#[derive(Debug, Serialize)]
pub struct SessionView<'a> {
    id: &'a str,
    name: &'a str,
    store: Option<&'a str>,
    default: bool,
    state: &'a str,
    compatible: bool,
    stack: &'a str,
    upper_kind: &'a str,
    base_image: &'a str,
    kernel: &'a str,
    kernel_parameters: &'a str,
    created: i64,
    saved: i64,
    generation: u32,
    size: u64,
    files: u64,
    saved_from_this_start: bool,
}

impl<'a> SessionView<'a> {
    /// The view of a session.
    pub fn new(world: &World, session: &'a Object<Session>) -> Self {
        Self {
            id: session.id(),
            name: &session.name,
            store: reference(&session.store),
            default: world.is_default(session),
            state: &session.state,
            compatible: session.compatible,
            stack: &session.stack,
            upper_kind: &session.upper_kind,
            base_image: &session.base_image,
            kernel: &session.kernel,
            kernel_parameters: &session.kernel_parameters,
            created: session.created,
            saved: session.saved,
            generation: session.generation,
            size: session.size,
            files: session.files,
            saved_from_this_start: session.saved_from_this_start,
        }
    }
}

/// A job of `status`, `jobs`, `watch` and of every command that does something.
#[derive(Debug, Serialize)]
pub struct JobView<'a> {
    id: &'a str,
    operation: &'a str,
    state: &'a str,
    phase: &'a str,
    progress: f64,
    bytes_done: u64,
    bytes_total: u64,
    entries_done: u64,
    entries_total: u64,
    rate: u64,
    started: i64,
    expected_end: i64,
    objects: Vec<&'a str>,
    started_by_uid: u32,
    cancelable: bool,
    point_of_no_return: bool,
    blockers: Vec<BlockerView<'a>>,
    error: &'a str,
    message: &'a str,
}

/// A process that a job waits for.
#[derive(Debug, Serialize)]
struct BlockerView<'a> {
    pid: u32,
    command: &'a str,
    holds: &'a str,
}

impl<'a> JobView<'a> {
    /// The view of a job.
    pub fn new(job: &'a Object<Job>) -> Self {
        Self {
            id: job.id(),
            operation: &job.operation,
            state: &job.state,
            phase: &job.phase,
            progress: job.progress,
            bytes_done: job.bytes_done,
            bytes_total: job.bytes_total,
            entries_done: job.entries_done,
            entries_total: job.entries_total,
            rate: job.rate,
            started: job.started,
            expected_end: job.expected_end,
            objects: job.objects.iter().filter_map(reference).collect(),
            started_by_uid: job.started_by_uid,
            cancelable: job.cancelable,
            point_of_no_return: job.point_of_no_return,
            blockers: job.blockers.iter().map(BlockerView::new).collect(),
            error: &job.error,
            message: &job.message,
        }
    }
}

impl<'a> BlockerView<'a> {
    fn new((pid, command, holds): &'a (u32, String, String)) -> Self {
        Self {
            pid: *pid,
            command,
            holds,
        }
    }
}

/// A failure, on standard error.
#[derive(Debug, Serialize)]
pub struct FailureView<'a> {
    error: &'a str,
    exit_status: u8,
    message: &'a str,
    advice: &'a str,
}

impl<'a> FailureView<'a> {
    /// The view of a failure.
    pub fn new(failure: &'a Failure) -> Self {
        Self {
            error: failure.exit.word(),
            exit_status: failure.exit.code(),
            message: &failure.message,
            advice: &failure.advice,
        }
    }
}
