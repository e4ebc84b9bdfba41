//! The structs of whole objects have the properties of the XML, all of them and no others.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{contract, value_of};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wendy_dbus::objects::{Device, Job, Session, Store, System, parse};
use wendy_dbus::{Dict, options};
use zbus::{OwnedVariant, Type};

fn sample(interface: &str) -> Dict {
    let entry = |property: &zbus_xml::Property<'_>| {
        let value = OwnedVariant::try_from(value_of(property.ty())).unwrap();
        (property.name().to_string(), value)
    };
    contract(interface).properties().map(entry).collect()
}

/// Parses a full sample, misses each property that is taken away, and writes the same ones again.
fn check<T: Serialize + DeserializeOwned + Type>(interface: &str) {
    let full = sample(interface);
    let object: T = parse(&full).unwrap();
    for name in full.keys() {
        let mut short: Dict = full.clone();
        short.remove(name);
        assert!(
            parse::<T>(&short).is_err(),
            "{interface} does without {name}"
        );
    }
    let bytes = zbus::wire::to_bytes(
        zbus::wire::serialized::Context::new(zbus::wire::LE, 0),
        &object,
    );
    let (written, _): (Dict, _) = bytes.unwrap().deserialize().unwrap();
    assert!(
        written.keys().all(|name| full.contains_key(name)),
        "{interface} has more"
    );
    assert_eq!(written.len(), full.len());
}

#[test]
fn objects_have_the_properties_of_the_contract() {
    check::<System>("org.ubuntu.Wendy");
    check::<Device>("org.ubuntu.Wendy.Device");
    check::<Store>("org.ubuntu.Wendy.Store");
    check::<Session>("org.ubuntu.Wendy.Session");
    check::<Job>("org.ubuntu.Wendy.Job");
}

#[test]
fn a_property_of_tomorrow_is_skipped() {
    let mut tomorrow = sample("org.ubuntu.Wendy.Device");
    tomorrow.insert("Colour".into(), OwnedVariant::from(7u32));
    assert!(parse::<Device>(&tomorrow).is_ok());
    assert!(options::parse::<options::PrepareOptions>(&tomorrow).is_err());
}
