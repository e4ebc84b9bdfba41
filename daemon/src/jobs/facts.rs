//! Facts for people and programs: what a plan would do, what a job has done.
//!
//! An ordered map of plain values that any frontend can show and the bus can carry. It never holds
//! the name of a user's file: whoever listens on the bus can read it.

use std::collections::BTreeMap;

use super::ObjectId;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A word or a sentence.
    Text(String),
    /// A count or a size in bytes.
    Number(u64),
    /// A number that stays small, such as a generation.
    Small(u32),
    /// Yes or no.
    Flag(bool),
    /// Several words.
    List(Vec<String>),
    /// Several things of one kind.
    Table(Vec<Facts>),
    /// An object, or nothing.
    Object(Option<ObjectId>),
}

/// Named values, ordered by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<&'static str, Fact>);

impl Facts {
    /// No facts yet.
    pub fn new() -> Facts {
        Facts::default()
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Fact>) -> Facts {
        self.0.insert(name, value.into());
        self
    }

    /// Adds a fact if it is known.
    #[must_use]
    pub fn with_known(self, name: &'static str, value: Option<impl Into<Fact>>) -> Facts {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value of a fact.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.get(name)
    }

    /// All facts in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Fact)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Fact {
        Fact::Text(text.to_owned())
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Fact {
        Fact::Text(text)
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Fact {
        Fact::Number(number)
    }
}

impl From<u32> for Fact {
    fn from(number: u32) -> Fact {
        Fact::Small(number)
    }
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Fact {
        Fact::Flag(flag)
    }
}

impl From<Vec<String>> for Fact {
    fn from(list: Vec<String>) -> Fact {
        Fact::List(list)
    }
}

impl From<Vec<Facts>> for Fact {
    fn from(table: Vec<Facts>) -> Fact {
        Fact::Table(table)
    }
}

impl From<ObjectId> for Fact {
    fn from(object: ObjectId) -> Fact {
        Fact::Object(Some(object))
    }
}

impl From<Option<ObjectId>> for Fact {
    fn from(object: Option<ObjectId>) -> Fact {
        Fact::Object(object)
    }
}
