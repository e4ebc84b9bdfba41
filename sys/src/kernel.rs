//! Facts about the running kernel.

use std::fs;

use crate::{Error, Result, error::Context};

/// The release of the running kernel, such as `6.12.107-amd64`.
pub fn release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// The identifier of this boot: a UUID that stays the same until the machine restarts.
pub fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).during(|| format!("read {path}"))?;
    let id = id.trim();
    if id.len() == 36 {
        Ok(id.to_owned())
    } else {
        Err(Error::invalid(path, "not a UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_itself_and_its_boot() {
        assert!(release().starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
    }
}
