//! Options of the methods: `a{sv}` with known keys only.
//!
//! A client fills the struct and hands it to the proxy. The daemon takes a [`Dict`] and calls
//! [`parse`], so that an unknown key or a wrong type becomes `InvalidArgument` and is never ignored.

use serde::de::DeserializeOwned;
use zbus::wire::{DeserializeDict, SerializeDict};
use zbus::{OwnedFd, OwnedObjectPath, Type};

use crate::{Dict, Error, Result};

/// Reads options strictly.
///
/// # Errors
///
/// `InvalidArgument` for an unknown key, a wrong type or a missing required key.
pub fn parse<T: DeserializeOwned + Type>(dict: &Dict) -> Result<T> {
    let invalid = |error| Error::InvalidArgument(format!("options cannot be understood: {error}"));
    crate::read(dict).map_err(invalid)
}

/// Options of `PlanPrepare` and `PrepareDevice`.
#[derive(Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case", deny_unknown_fields)]
pub struct PrepareOptions {
    /// How, a word of [`crate::words::Mode`]; default `device`.
    pub mode: Option<String>,
    /// Name of the new store; required by the daemon.
    pub name: Option<String>,
    /// Bytes; default is all there is room for.
    pub size: Option<u64>,
    /// Filesystem of the store; default ext4.
    pub filesystem: Option<String>,
    /// Encrypt the store.
    pub encrypt: Option<bool>,
    /// Where to read the passphrase from.
    pub passphrase: Option<OwnedFd>,
    /// Consent to the plan it came with.
    pub token: Option<String>,
}

/// Options of `PlanSave` and `SaveSession`.
#[derive(Clone, Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case", deny_unknown_fields)]
pub struct SaveOptions {
    /// Update this session.
    pub session: Option<OwnedObjectPath>,
    /// Make it the one that a stock image boots.
    pub default: Option<bool>,
    /// Patterns and sets to leave out.
    pub exclude: Option<Vec<String>>,
    /// `second-pass` or `none`.
    pub quiesce: Option<String>,
    /// Remove the last save of the session first if there is no room beside it.
    pub overwrite: Option<bool>,
}

/// Options of `SwitchUpperLayer`.
#[derive(Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case", deny_unknown_fields)]
pub struct SwitchOptions {
    /// `auto`, `live`, `soft-reboot` or `next-boot`.
    pub mode: Option<String>,
}

/// Options of `Snapshot`.
#[derive(Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case", deny_unknown_fields)]
pub struct SnapshotOptions {
    /// `upper` or `full`.
    pub kind: Option<String>,
    /// `squashfs` or `erofs`.
    pub format: Option<String>,
    /// Compressor of the format.
    pub compression: Option<String>,
    /// Put it into this store.
    pub store: Option<OwnedObjectPath>,
    /// Write it here.
    pub output: Option<OwnedFd>,
}

/// Options of `Store.Check`.
#[derive(Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", rename_all = "kebab-case", deny_unknown_fields)]
pub struct CheckOptions {
    /// Only this session.
    pub session: Option<OwnedObjectPath>,
}

/// Options of a method that has none yet.
#[derive(Debug, Default, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct NoOptions {}

#[cfg(test)]
mod tests {
    use zbus::{OwnedVariant, Variant};

    use super::*;

    fn dict(entries: &[(&str, Variant<'_>)]) -> Dict {
        let owned = |(key, value): &(&str, Variant<'_>)| {
            ((*key).to_owned(), OwnedVariant::try_from(value).unwrap())
        };
        entries.iter().map(owned).collect()
    }

    #[test]
    fn known_keys_are_read() {
        let given = dict(&[("name", "My stick".into()), ("size", 5u64.into())]);
        let options: PrepareOptions = parse(&given).unwrap();
        assert_eq!(options.name.as_deref(), Some("My stick"));
        assert_eq!(options.size, Some(5));
        assert_eq!(options.token, None);
    }

    #[test]
    fn a_list_is_read() {
        let given = dict(&[("exclude", vec!["/tmp/**", "caches"].into())]);
        let options: SaveOptions = parse(&given).unwrap();
        assert_eq!(options.exclude.unwrap(), ["/tmp/**", "caches"]);
    }

    #[test]
    fn a_file_descriptor_is_read() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let given = dict(&[("passphrase", zbus::Fd::from(&file).into())]);
        let options: PrepareOptions = parse(&given).unwrap();
        assert!(options.passphrase.is_some());
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse::<PrepareOptions>(&dict(&[("forced", true.into())])).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidArgument(why) if why.contains("forced")),
            "{error}"
        );
    }

    #[test]
    fn a_key_where_none_is_known_is_refused() {
        assert!(parse::<NoOptions>(&dict(&[])).is_ok());
        let error = parse::<NoOptions>(&dict(&[("x", true.into())])).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)));
    }

    #[test]
    fn a_wrong_type_is_refused() {
        let error = parse::<PrepareOptions>(&dict(&[("size", "big".into())])).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)));
        let error = parse::<SaveOptions>(&dict(&[("default", 1u32.into())])).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)));
    }
}
