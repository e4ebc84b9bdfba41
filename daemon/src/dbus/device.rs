//! `org.ubuntu.Wendy.Device`.

use std::sync::Arc;

use zbus::{OwnedObjectPath, interface};

use super::{
    context::Context,
    paths,
    shelf::{Object, Shown},
};
use crate::model::{Device, DeviceId};

/// A disk or partition on the bus.
pub(super) struct DeviceObject {
    id: DeviceId,
    shown: Shown<Device>,
}

impl Object for DeviceObject {
    type Key = DeviceId;
    type View = Device;

    fn path(id: DeviceId) -> OwnedObjectPath {
        paths::device(id)
    }

    fn new(id: DeviceId, shown: Shown<Device>, _: Arc<Context>) -> DeviceObject {
        DeviceObject { id, shown }
    }
}

#[interface(name = "org.ubuntu.Wendy.Device", introspection_docs = false)]
impl DeviceObject {
    #[zbus(property)]
    fn device_node(&self) -> String {
        self.shown.get().node.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn disk_seq(&self) -> u64 {
        self.id.diskseq
    }

    #[zbus(property)]
    fn vendor(&self) -> String {
        self.shown.get().vendor.clone()
    }

    #[zbus(property)]
    fn model(&self) -> String {
        self.shown.get().model.clone()
    }

    #[zbus(property)]
    fn serial(&self) -> String {
        self.shown.get().serial.clone()
    }

    #[zbus(property)]
    fn bus(&self) -> String {
        self.shown.get().bus.clone()
    }

    #[zbus(property)]
    fn size(&self) -> u64 {
        self.shown.get().size
    }

    #[zbus(property)]
    fn removable(&self) -> bool {
        self.shown.get().removable
    }

    #[zbus(property)]
    fn read_only(&self) -> bool {
        self.shown.get().read_only
    }

    #[zbus(property)]
    fn system(&self) -> bool {
        self.shown.get().system
    }

    #[zbus(property)]
    fn boot_medium(&self) -> bool {
        self.shown.get().boot_medium
    }

    #[zbus(property)]
    fn in_use(&self) -> bool {
        !self.shown.get().in_use_by.is_empty()
    }

    #[zbus(property)]
    fn in_use_by(&self) -> Vec<String> {
        self.shown.get().in_use_by.clone()
    }

    #[zbus(property)]
    fn filesystem_type(&self) -> String {
        self.shown.get().filesystem_type.clone()
    }

    #[zbus(property)]
    fn label(&self) -> String {
        self.shown.get().label.clone()
    }

    #[zbus(property)]
    fn uuid(&self) -> String {
        self.shown.get().uuid.clone()
    }

    #[zbus(property)]
    fn store(&self) -> OwnedObjectPath {
        paths::or_none(self.shown.get().store, paths::store)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn parent(&self) -> OwnedObjectPath {
        paths::or_none(self.shown.get().parent, paths::device)
    }
}
