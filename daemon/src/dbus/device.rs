//! `org.ubuntu.Wendy.Device`.

use zbus::{OwnedObjectPath, interface};

use super::{
    paths,
    shelf::{Object, Shelved},
};
use crate::model::{Device, DeviceId};

/// A disk or partition on the bus.
pub(super) struct DeviceObject(Shelved<DeviceId, Device>);

impl Object for DeviceObject {
    type Key = DeviceId;
    type View = Device;

    fn path(id: DeviceId) -> OwnedObjectPath {
        paths::device(id)
    }

    fn new(shelved: Shelved<DeviceId, Device>) -> DeviceObject {
        DeviceObject(shelved)
    }
}

#[interface(name = "org.ubuntu.Wendy.Device", introspection_docs = false)]
impl DeviceObject {
    #[zbus(property)]
    fn device_node(&self) -> String {
        self.0.get().node.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn disk_seq(&self) -> u64 {
        self.0.key.diskseq
    }

    #[zbus(property)]
    fn vendor(&self) -> String {
        self.0.get().vendor.clone()
    }

    #[zbus(property)]
    fn model(&self) -> String {
        self.0.get().model.clone()
    }

    #[zbus(property)]
    fn serial(&self) -> String {
        self.0.get().serial.clone()
    }

    #[zbus(property)]
    fn bus(&self) -> String {
        self.0.get().bus.clone()
    }

    #[zbus(property)]
    fn size(&self) -> u64 {
        self.0.get().size
    }

    #[zbus(property)]
    fn removable(&self) -> bool {
        self.0.get().removable
    }

    #[zbus(property)]
    fn read_only(&self) -> bool {
        self.0.get().read_only
    }

    #[zbus(property)]
    fn system(&self) -> bool {
        self.0.get().system
    }

    #[zbus(property)]
    fn boot_medium(&self) -> bool {
        self.0.get().boot_medium
    }

    #[zbus(property)]
    fn in_use(&self) -> bool {
        !self.0.get().in_use_by.is_empty()
    }

    #[zbus(property)]
    fn in_use_by(&self) -> Vec<String> {
        self.0.get().in_use_by.clone()
    }

    #[zbus(property)]
    fn filesystem_type(&self) -> String {
        self.0.get().filesystem_type.clone()
    }

    #[zbus(property)]
    fn label(&self) -> String {
        self.0.get().label.clone()
    }

    #[zbus(property)]
    fn uuid(&self) -> String {
        self.0.get().uuid.clone()
    }

    #[zbus(property)]
    fn store(&self) -> OwnedObjectPath {
        paths::or_none(self.0.get().store, paths::store)
    }

    #[zbus(property)]
    fn examined(&self) -> bool {
        self.0.get().examined
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn parent(&self) -> OwnedObjectPath {
        paths::or_none(self.0.get().parent, paths::device)
    }
}
