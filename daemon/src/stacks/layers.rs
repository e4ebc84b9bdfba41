//! The read-only layers below the changes, and the identity of the image they make up.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use wendy_store::{
    BaseImage,
    base::{HEAD_BYTES, LayerFacts},
};
use wendy_sys::{
    DevNum,
    block::{Access, BlockDevice, node_of},
    loopdev,
    mountinfo::Mount,
};

use super::{
    Error,
    facts::{RootOverlay, block_device, mounted_at},
};

/// One read-only layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// File name of its image, without directories; the directory's name when it has no image.
    pub name: String,
    image: Option<Image>,
}

/// The block device that shows the image of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Image {
    device: DevNum,
    size: u64,
    head: Vec<u8>,
}

impl Layer {
    /// The layer that `mount` shows.
    ///
    /// # Errors
    /// When its device cannot be read.
    pub fn of_mount(mount: &Mount) -> Result<Self, Error> {
        match block_device(mount) {
            Some(device) => Self::of_device(device, &mount.mount_point),
            None => Ok(Self::of_directory(&mount.mount_point)),
        }
    }

    /// The layer on `device`, by the name of the file behind it, or else of `place`.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub fn of_device(device: DevNum, place: &Path) -> Result<Self, Error> {
        let file = loopdev::backing_file(device).unwrap_or_else(|_| place.to_owned());
        let node = BlockDevice::open(&node_of(device)?, Access::Read)?;
        let image = Image {
            device,
            size: node.identity().size,
            head: head_of(&node)?,
        };
        Ok(Self {
            name: file_name(&file),
            image: Some(image),
        })
    }

    /// A layer that is a plain directory. All that is known of it is its name.
    pub fn of_directory(place: &Path) -> Self {
        Self {
            name: file_name(place),
            image: None,
        }
    }

    /// The device that shows its image.
    pub fn device(&self) -> Option<DevNum> {
        self.image.as_ref().map(|image| image.device)
    }

    /// Size of its image in bytes; 0 for a plain directory.
    pub fn size(&self) -> u64 {
        self.image.as_ref().map_or(0, |image| image.size)
    }
}

/// The lower layers of `overlay`, topmost first, found in a mount table that has their paths.
pub fn of_overlay(overlay: &RootOverlay, mounts: &[Mount]) -> Result<Vec<Layer>, Error> {
    let layer = |place: &PathBuf| match mounted_at(mounts, place) {
        Some(mount) => Layer::of_mount(mount),
        None => Ok(Layer::of_directory(place)),
    };
    overlay.lowers.iter().map(layer).collect()
}

/// The identity of the image that `layers` make up, in whatever order they are stacked.
///
/// live-boot stacks the same images in the opposite order when it keeps changes on a medium
/// (`9990-overlay.sh`), and a session must still fit the image it was made on.
pub fn identity(layers: &[Layer]) -> BaseImage {
    let mut facts: Vec<_> = layers.iter().map(facts).collect();
    facts.sort_by_key(|layer| layer.name);
    BaseImage::from_layers(&facts)
}

fn facts(layer: &Layer) -> LayerFacts<'_> {
    let (size, head) = match &layer.image {
        Some(image) => (image.size, &image.head[..]),
        None => (0, &[][..]),
    };
    LayerFacts {
        name: &layer.name,
        size,
        head,
    }
}

fn head_of(device: &BlockDevice) -> Result<Vec<u8>, Error> {
    let unreadable = |error| {
        Error::Layout(format!(
            "{} cannot be read: {error}",
            device.node().display()
        ))
    };
    let file = File::from(device.fd().try_clone_to_owned().map_err(unreadable)?);
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    Ok(head)
}

/// The kernel appends ` (deleted)` to the name of a file that has none any more.
fn file_name(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name.strip_suffix(" (deleted)")
        .map_or(name.clone(), str::to_owned)
}
