//! The administrator's choices, from `/etc/wendy/wendy.conf`.
//!
//! Lines of `name=value`, as in the records on media. A file that cannot be understood changes
//! nothing: the daemon says so in the journal and goes on with the defaults.

use std::{fs, io, path::Path};

use tracing::warn;
use wendy_store::Info;

use crate::stores::discover::Adoption;

/// Where the choices are.
pub const PATH: &str = "/etc/wendy/wendy.conf";

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// `adopt-old-media`, `yes` or `no`: whether media of casper get their marker when first seen.
    pub adoption: Adoption,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            adoption: Adoption::On,
        }
    }
}

impl Config {
    /// Reads the file; without one, or with one that makes no sense, the defaults.
    pub fn read(path: &Path) -> Config {
        let content = match fs::read(path) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Config::default(),
            Err(error) => {
                warn!(path = %path.display(), %error, "cannot read the configuration");
                return Config::default();
            }
        };
        Config::parse(&content).unwrap_or_else(|reason| {
            warn!(path = %path.display(), %reason, "the configuration is not used");
            Config::default()
        })
    }

    fn parse(content: &[u8]) -> Result<Config, String> {
        let info = Info::parse(content).map_err(|error| error.to_string())?;
        let mut config = Config::default();
        for (name, value) in info.entries() {
            match (name, value) {
                ("adopt-old-media", "yes") => config.adoption = Adoption::On,
                ("adopt-old-media", "no") => config.adoption = Adoption::Off,
                (name, value) => return Err(format!("{name}={value} means nothing")),
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adoption_can_be_switched_off() {
        let config = Config::parse(b"# our rule\nadopt-old-media=no\n").unwrap();
        assert_eq!(config.adoption, Adoption::Off);
        assert_eq!(Config::parse(b"").unwrap(), Config::default());
    }

    #[test]
    fn what_means_nothing_is_named_and_changes_nothing() {
        for content in ["adopt-old-media=maybe\n", "adopt-new-media=no\n"] {
            let reason = Config::parse(content.as_bytes()).unwrap_err();
            assert!(reason.contains(content.trim()), "{reason}");
        }
        assert!(Config::parse(b"\xff\xfe").is_err());
        assert_eq!(
            Config::read(Path::new("/nonexistent/wendy.conf")),
            Config::default()
        );
    }
}
