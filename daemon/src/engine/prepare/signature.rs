//! What libblkid recognises on a device.

use wendy_sys::{Cancel, block::BlockDevice, tool::Tool};

use crate::error::{During, Result};

/// Exit codes of blkid(8).
const NOTHING: i32 = 2;
const AMBIGUOUS: i32 = 8;

/// What lies at a place, by its type, its names and whether it is a partition table.
#[derive(Default)]
pub(super) struct Signature {
    pub(super) fs_type: String,
    pub(super) label: String,
    pub(super) uuid: String,
    pub(super) has_table: bool,
    /// It is several things at once, or looks so.
    ambiguous: bool,
}

impl Signature {
    /// Looks at the device, or at a part of it: where that starts and its size, in bytes.
    pub(super) fn read(
        device: &BlockDevice,
        range: Option<(u64, u64)>,
        cancel: &Cancel,
    ) -> Result<Signature> {
        let mut tool = Tool::new("blkid")
            .args(["-p", "-o", "export"])
            .accept(NOTHING)
            .accept(AMBIGUOUS);
        if let Some((start, size)) = range {
            tool = tool
                .arg("--offset")
                .arg(start.to_string())
                .arg("--size")
                .arg(size.to_string());
        }
        let tool = tool.arg("--").arg(device.proc_path()).pass_fd(device.fd());
        let output = tool.run(cancel).during("looking for signatures")?;
        let seen = Signature {
            ambiguous: output.code == AMBIGUOUS,
            ..Signature::parse(&output.stdout)
        };
        Ok(seen)
    }

    /// Reads `NAME=value` lines; blkid puts a backslash before what a shell would misunderstand.
    fn parse(export: &[u8]) -> Signature {
        let text = String::from_utf8_lossy(export);
        let mut seen = Signature::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match name {
                "TYPE" => seen.fs_type = plain(value),
                "LABEL" => seen.label = plain(value),
                "UUID" => seen.uuid = plain(value),
                "PTTYPE" => seen.has_table = true,
                _ => {}
            }
        }
        seen
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.fs_type.is_empty() && !self.ambiguous
    }
}

/// Without the backslashes, and without what could rewrite the line it is shown in.
fn plain(value: &str) -> String {
    value
        .chars()
        .filter(|c| *c != '\\')
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_as_blkid_writes_them() {
        let export = b"DEVNAME=/proc/self/fd/9\nLABEL=a\\ b^Jc\nUUID=e4a3\nTYPE=ext4\nPTTYPE=dos\n";
        let seen = Signature::parse(export);
        assert_eq!(
            (seen.label.as_str(), seen.uuid.as_str()),
            ("a b^Jc", "e4a3")
        );
        assert!(seen.fs_type == "ext4" && seen.has_table && !seen.is_nothing());
        assert!(Signature::parse(b"").is_nothing());
    }
}
