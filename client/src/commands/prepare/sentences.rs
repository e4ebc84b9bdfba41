//! A plan in sentences.

use wendy_dbus::objects::Device;
use wendy_dbus::plans::{Piece, PreparePlan};
use wendy_dbus::words::{Mode, Word};
use wendy_text::{quoted, safe};

use crate::output::units;
use crate::resolve;
use crate::world::{Object, short};

/// What would be lost and made, line by line.
pub fn plan(device: &Object<Device>, plan: &PreparePlan) -> Vec<String> {
    let mut lines = vec![title(device)];
    if plan.lost.is_empty() {
        lines.push(format!("Nothing will be lost{}.", kept(plan)));
    } else {
        lines.push("This will be lost:".into());
        lines.extend(plan.lost.iter().map(|lost| format!("  {}", piece(lost))));
    }
    if !plan.changed.is_empty() {
        lines.push("This is added to, and what is there stays:".into());
        lines.extend(plan.changed.iter().map(|kept| format!("  {}", piece(kept))));
    }
    lines.push("This will be made:".into());
    lines.extend(plan.made.iter().map(|made| format!("  {}", piece(made))));
    lines.extend(
        plan.warnings
            .iter()
            .map(|warning| format!("Note: {}.", caution(warning))),
    );
    lines
}

fn title(device: &Device) -> String {
    let serial = match device.serial.as_str() {
        "" => String::new(),
        serial => format!(", serial number {}", safe(serial)),
    };
    format!("{}{serial}", resolve::describe_device(device))
}

fn kept(plan: &PreparePlan) -> &'static str {
    match Mode::from_word(&plan.mode) {
        Some(Mode::FreeSpace | Mode::Loopback) => ": what is on the device stays",
        _ => ": there is nothing on it",
    }
}

/// One thing on a medium: `partition sda1: vfat "HOLIDAY", 16 GB, 3.1 GB used`.
fn piece(piece: &Piece) -> String {
    let node = piece
        .device_node
        .as_deref()
        .map(|node| format!(" {}", safe(short(node))));
    let mut details = Vec::new();
    let name = piece.name.as_deref().filter(|name| !name.is_empty());
    details.extend(name.map(|name| {
        if piece.kind == "partition" {
            safe(name)
        } else {
            quoted(name)
        }
    }));
    details.extend(
        piece
            .filesystem
            .as_deref()
            .filter(|kind| !kind.is_empty())
            .map(safe),
    );
    details.extend(
        piece
            .label
            .as_deref()
            .filter(|label| !label.is_empty())
            .map(quoted),
    );
    details.extend((piece.size > 0).then(|| units::size(piece.size)));
    details.extend(piece.used.map(|used| format!("{} used", units::size(used))));
    let kind = kind(&piece.kind);
    format!("{kind}{} {}", node.unwrap_or_default(), details.join(", "))
        .trim_end()
        .to_owned()
}

fn kind(kind: &str) -> String {
    match kind {
        "partition-table" => "the partition table".into(),
        "data" => "data of an unknown kind".into(),
        other => format!("the {}", safe(other)),
    }
}

fn caution(warning: &str) -> String {
    match warning {
        "small" => "there is little room for sessions".into(),
        "slow-medium" => "this medium is slow, saving will take its time".into(),
        "boot-image-kept" => "the image on it still boots".into(),
        "not-found-at-boot" => {
            "a stock image does not look into such a filesystem when it starts, so it will not find \
             the sessions by itself; a FAT stick or a partition of its own is found"
                .into()
        }
        "read-only-afterwards" => "other systems may show it as read-only".into(),
        other => safe(other),
    }
}
