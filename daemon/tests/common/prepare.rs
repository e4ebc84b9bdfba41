//! Making stores.

use std::path::Path;

use wendy_store::Stack;
use wendy_sys::{
    Cancel,
    block::{Access, BlockDevice},
};
use wendyd::{
    engine::{
        Result, Unwatched,
        prepare::{self, Known, Mode, PreparePlan, PrepareRequest, Target},
    },
    stores::Location,
};

pub fn target(node: &Path, partition: Option<u32>) -> Target {
    let identity = BlockDevice::open(node, Access::Read).unwrap().identity();
    let known = Known {
        device: "the stick".to_owned(),
        partition,
        stores: Vec::new(),
    };
    Target {
        node: node.to_owned(),
        identity,
        known,
        stack: Some(Stack::LiveBoot),
        boot_medium: false,
    }
}

pub fn location(node: &Path, fs_type: &str) -> Location {
    Location {
        node: node.to_owned(),
        identity: BlockDevice::open(node, Access::Read).unwrap().identity(),
        fs_type: fs_type.to_owned(),
        fs_uuid: "01234567-89ab-cdef-0123-456789abcdef".to_owned(),
        name: "the stick".to_owned(),
    }
}

pub fn request(mode: Mode) -> PrepareRequest {
    PrepareRequest {
        mode,
        name: "My stick".to_owned(),
        size: None,
        filesystem: None,
        token: None,
    }
}

pub fn plan(target: &Target, mode: Mode) -> Result<PreparePlan> {
    prepare::plan(target, &request(mode), &Cancel::new())
}

/// Plans and does it.
pub fn prepare_as(target: &Target, mode: Mode) -> Result<()> {
    let plan = plan(target, mode)?;
    prepare::prepare(target, &request(mode), &plan, &Unwatched::default()).map(drop)
}
