//! Facts as they travel.

use wendy_dbus::Dict;
use zbus::{OwnedVariant, Variant};

use super::paths;
use crate::jobs::{Fact, Facts};

pub(super) fn dict(facts: &Facts) -> Dict {
    facts
        .iter()
        .map(|(name, fact)| (name.to_owned(), owned(variant(fact))))
        .collect()
}

fn variant(fact: &Fact) -> Variant<'_> {
    match fact {
        Fact::Text(text) => text.as_str().into(),
        Fact::Number(number) => (*number).into(),
        Fact::Small(number) => (*number).into(),
        Fact::Flag(flag) => (*flag).into(),
        Fact::List(list) => list.iter().map(String::as_str).collect::<Vec<_>>().into(),
        Fact::Table(rows) => rows.iter().map(dict).collect::<Vec<_>>().into(),
        Fact::Object(object) => match object {
            Some(id) => paths::object(id).into_inner().into(),
            None => wendy_dbus::paths::none().into_inner().into(),
        },
    }
}

fn owned(value: Variant<'_>) -> OwnedVariant {
    OwnedVariant::try_from(value).expect("facts hold no file descriptor that could run out")
}
