//! Plugging sticks into a machine and pulling them out again.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::machine::Vm;
use super::stick::{Plug, Stick};

/// Which stick is in which port of the machine's USB controller.
///
/// A memory image fits only a machine that has its sticks in the same ports, so they are filled from
/// the first one on.
#[derive(Debug, Default)]
pub(super) struct Ports([Option<String>; 4]);

impl Ports {
    fn take(&mut self, stick: &str) -> Result<usize> {
        let free = self.0.iter().position(Option::is_none);
        let port = free.context("all ports are taken")?;
        self.0[port] = Some(stick.to_owned());
        Ok(port + 1)
    }

    fn give_back(&mut self, stick: &str) {
        for port in &mut self.0 {
            port.take_if(|plugged| plugged == stick);
        }
    }
}

impl Vm {
    /// Plugs a stick in and waits until the system has its device. A busy system may not have noticed
    /// yet that the same stick was pulled, and then has its device of before.
    pub fn plug(&mut self, stick: &Stick, plug: Plug) -> Result<()> {
        let node = stick.node();
        self.run(&format!("while [ -L {node} ]; do sleep 0.1; done"))?;
        self.connect(stick, plug)?;
        self.run(&format!(
            "until [ -b {node} ]; do sleep 0.1; done; udevadm settle"
        ))?;
        Ok(())
    }

    /// Plugs a stick in and does not wait for anything.
    pub fn connect(&mut self, stick: &Stick, plug: Plug) -> Result<()> {
        let id = stick.serial();
        let mut node = self.backend(stick, plug)?;
        node["node-name"] = json!(id);
        node["read-only"] = json!(stick.read_only());
        self.qmp().execute("blockdev-add", node)?;
        let port = self.ports.take(id)?.to_string();
        let device = json!({
            "driver": "usb-storage", "id": id, "drive": id, "bus": "xhci.0", "port": port,
            "removable": true, "serial": id,
        });
        self.qmp().execute("device_add", device).map(drop)
    }

    /// Pulls a stick out, whatever is being done with it.
    pub fn pull(&mut self, stick: &Stick) -> Result<()> {
        let id = stick.serial();
        self.qmp().execute("device_del", json!({ "id": id }))?;
        self.qmp().wait_for_device_event("DEVICE_DELETED", id)?;
        self.qmp()
            .execute("blockdev-del", json!({ "node-name": id }))?;
        self.ports.give_back(id);
        if self.limited.take_if(|limited| limited == id).is_some() {
            self.qmp()
                .execute("object-del", json!({ "id": speed_of(id) }))?;
        }
        Ok(())
    }

    /// How many writes a stick has taken since it was plugged in.
    pub fn writes(&mut self, stick: &Stick) -> Result<u64> {
        let answer = self.qmp().execute("query-blockstats", json!({}))?;
        let devices = answer.as_array().context("no list of devices")?;
        let device = devices
            .iter()
            .find(|device| device["node-name"] == stick.serial());
        device
            .and_then(|device| device["stats"]["wr_operations"].as_u64())
            .with_context(|| format!("nothing is known of {}: {answer}", stick.serial()))
    }

    /// The emulator's description of what is behind a stick.
    fn backend(&mut self, stick: &Stick, plug: Plug) -> Result<Value> {
        let file = json!({ "driver": "file", "filename": stick.file() });
        let limits = match plug {
            Plug::Fast => return Ok(json!({ "driver": "raw", "file": file })),
            Plug::Recorded => {
                stick.begin_recording()?;
                let log = json!({ "driver": "file", "filename": stick.log() });
                return Ok(json!({ "driver": "blklogwrites", "file": file, "log": log }));
            }
            Plug::Slow(bytes) => json!({ "bps-write": bytes }),
            Plug::Steps(writes) => json!({ "iops-write": writes }),
        };
        ensure!(self.limited.is_none(), "only one stick may be a slow one");
        let id = stick.serial();
        let group = speed_of(id);
        let object = json!({ "qom-type": "throttle-group", "id": group, "limits": limits });
        self.qmp().execute("object-add", object)?;
        self.limited = Some(id.to_owned());
        Ok(json!({ "driver": "throttle", "throttle-group": group, "file": file }))
    }
}

fn speed_of(id: &str) -> String {
    format!("{id}-speed")
}
