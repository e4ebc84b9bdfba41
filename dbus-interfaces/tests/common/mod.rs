//! The contract as data, and values of any type it uses.

use wendy_dbus::paths;
use zbus::wire::{Array, Dict, StructureBuilder};
use zbus::{Signature, Variant};
use zbus_xml::{Interface, Node};

/// The interface of this name, from the XML.
pub fn contract(interface: &str) -> Interface<'static> {
    let entry = wendy_dbus::INTERFACES
        .iter()
        .find(|(name, _)| *name == interface);
    let (_, xml) = entry.unwrap_or_else(|| panic!("{interface} is not in the contract"));
    Node::from_reader(xml.as_bytes()).unwrap().interfaces()[0].to_owned()
}

/// Some value of this type.
pub fn value_of(signature: &Signature) -> Variant<'static> {
    match signature {
        Signature::Str => "text".into(),
        Signature::Bool => true.into(),
        Signature::U32 => 1u32.into(),
        Signature::U64 => 2u64.into(),
        Signature::I64 => 3i64.into(),
        Signature::F64 => 0.5f64.into(),
        Signature::ObjectPath => Variant::from(paths::none()),
        Signature::Array(element) => array_of(element.signature()),
        Signature::Dict { key, value } => Dict::new(key.signature(), value.signature()).into(),
        Signature::Structure(fields) => {
            let add = |built: StructureBuilder<'static>, field| built.append_field(value_of(field));
            let built = fields
                .iter()
                .fold(StructureBuilder::new(), add)
                .build()
                .unwrap();
            built.into()
        }
        other => panic!("teach this test about {other}"),
    }
}

fn array_of(element: &Signature) -> Variant<'static> {
    let mut array = Array::new(element);
    array.append(value_of(element)).unwrap();
    array.into()
}
