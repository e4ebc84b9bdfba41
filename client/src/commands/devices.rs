//! `wendyctl devices`: what could carry a store.

use serde::Serialize;
use wendy_dbus::objects::Device;
use wendy_dbus::options::PrepareOptions;
use wendy_dbus::paths;
use wendy_dbus::words::{Mode, Word};
use wendy_text::{quoted, safe};

use crate::args;
use crate::bus::Bus;
use crate::error::Failure;
use crate::output::table::{Align, Table};
use crate::output::views::DeviceView;
use crate::output::{Output, units};
use crate::resolve;
use crate::world::{Object, World, short};

#[derive(Serialize)]
struct DevicesView<'a> {
    devices: Vec<DeviceView<'a>>,
    free_space: Vec<FreeSpaceView<'a>>,
}

/// Room on the medium the system was started from.
#[derive(Serialize)]
struct FreeSpaceView<'a> {
    device: &'a str,
    size: u64,
}

/// Prints the devices.
pub async fn run(args: &args::Devices, output: &Output) -> Result<(), Failure> {
    let bus = Bus::connect().await?;
    let world = bus.examined_world().await?;
    let free = free_space(&bus, &world).await?;
    let shown: Vec<_> = world
        .devices
        .iter()
        .filter(|device| args.all || is_candidate(device))
        .collect();
    let devices = shown.iter().map(|device| DeviceView::new(device)).collect();
    let rooms = free.iter().map(|(device, size)| FreeSpaceView {
        device: device.id(),
        size: *size,
    });
    output.object(&DevicesView {
        devices,
        free_space: rooms.collect(),
    })?;
    if shown.is_empty() {
        output
            .line("There is no stick. Plug one in: it is shown as soon as the system sees it.")?;
    } else {
        output.table(&table(&world, &shown))?;
    }
    say_hidden(world.devices.len() - shown.len(), output)?;
    free.iter().try_for_each(|(device, size)| {
        let (node, size) = (safe(short(&device.device_node)), units::size(*size));
        output.line(format!("Your live stick {node} has {size} free for a store: wendyctl prepare {node} --name NAME"))
    })
}

/// What is free on the media the system was started from, where a store can be added to them.
async fn free_space<'a>(
    bus: &Bus,
    world: &'a World,
) -> Result<Vec<(&'a Object<Device>, u64)>, Failure> {
    let wendy = bus.wendy().await?;
    let options = PrepareOptions {
        mode: Some(Mode::FreeSpace.word().to_owned()),
        name: Some("store".to_owned()),
        ..PrepareOptions::default()
    };
    let mut found = Vec::new();
    for device in world.devices.iter().filter(|device| is_live_stick(device)) {
        // Why there is none, says who tries.
        if let Ok((plan, _)) = wendy.plan_prepare(&device.path, &options).await {
            found.push((device, plan.size));
        }
    }
    Ok(found)
}

fn is_live_stick(device: &Device) -> bool {
    device.boot_medium && !device.read_only && paths::is_none(device.parent.as_str())
}

/// Whether a person may think of using it.
fn is_candidate(device: &Device) -> bool {
    !device.system && !device.boot_medium && device.size > 0
}

fn table(world: &World, devices: &[&Object<Device>]) -> Table {
    let mut table = Table::new(&[
        ("DEVICE", Align::Left),
        ("SIZE", Align::Right),
        ("PRODUCT", Align::Left),
        ("HOLDS", Align::Left),
        ("STATE", Align::Left),
    ]);
    for device in devices {
        let indent = if paths::is_none(device.parent.as_str()) {
            ""
        } else {
            "  "
        };
        table.row([
            format!("{indent}{}", safe(short(&device.device_node))),
            units::size(device.size),
            resolve::product(device),
            holds(world, device),
            state(device),
        ]);
    }
    table
}

/// What is on it: a store by name, or a filesystem by label.
fn holds(world: &World, device: &Device) -> String {
    if let Some(store) = world.store(&device.store) {
        return match store.foreign.as_str() {
            "" => format!("store {}", quoted(&store.name)),
            foreign => safe(foreign),
        };
    }
    if !device.examined {
        return "being looked into".into();
    }
    match (device.filesystem_type.as_str(), device.label.as_str()) {
        ("", _) => String::new(),
        ("ambivalent", _) => "marks of several filesystems".into(),
        (kind, "") => safe(kind),
        (kind, label) => format!("{} {}", safe(kind), quoted(label)),
    }
}

fn state(device: &Device) -> String {
    let mut states = Vec::new();
    if device.boot_medium {
        states.push("boot medium".to_owned());
    }
    if device.system {
        states.push("part of this computer".to_owned());
    }
    if device.read_only {
        states.push("write-protected".to_owned());
    }
    if device.in_use {
        let by: Vec<String> = device.in_use_by.iter().map(|by| safe(by)).collect();
        states.push(if by.is_empty() {
            "in use".into()
        } else {
            by.join(", ")
        });
    }
    if states.is_empty() {
        "free".into()
    } else {
        states.join(", ")
    }
}

fn say_hidden(hidden: usize, output: &Output) -> Result<(), Failure> {
    let more = match hidden {
        0 => return Ok(()),
        1 => "One more belongs".to_owned(),
        hidden => format!("{hidden} more belong"),
    };
    output.line(format!(
        "{more} to this computer or its boot medium; --all shows them."
    ))
}
