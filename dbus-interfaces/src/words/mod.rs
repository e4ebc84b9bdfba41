//! Enumerated strings of the contract.
//!
//! They travel as strings, so that a newer daemon can say something new to an older client. The
//! daemon writes them through these types; a client parses them and must be ready for `None`.

mod job;
mod prepare;
mod store;
mod system;

pub use job::{JobState, Operation, Phase};
pub use prepare::Mode;
pub use store::{Problem, SessionState, StoreKind, Verdict};
pub use system::{State, StateReason};

/// An enumeration that travels as a word.
pub trait Word: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The word on the wire.
    fn word(self) -> &'static str {
        let entry = Self::WORDS.iter().find(|(value, _)| *value == self);
        entry.expect("every value is listed with its word").1
    }

    /// The value of a word, `None` for one that this version does not know.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, known)| *known == word)
            .map(|(value, _)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of an enumeration, and the check that each belongs to its value.
    struct Enumeration {
        words: Vec<&'static str>,
        round_trip: fn(),
    }

    /// Every enumeration there is.
    fn all() -> [Enumeration; 10] {
        [
            enumeration::<State>(),
            enumeration::<StateReason>(),
            enumeration::<Mode>(),
            enumeration::<StoreKind>(),
            enumeration::<Problem>(),
            enumeration::<SessionState>(),
            enumeration::<Verdict>(),
            enumeration::<JobState>(),
            enumeration::<Operation>(),
            enumeration::<Phase>(),
        ]
    }

    fn enumeration<W: Word + std::fmt::Debug>() -> Enumeration {
        Enumeration {
            words: W::WORDS.iter().map(|(_, word)| *word).collect(),
            round_trip: round_trip::<W>,
        }
    }

    fn round_trip<W: Word + std::fmt::Debug>() {
        for (value, word) in W::WORDS {
            assert_eq!(value.word(), *word);
            assert_eq!(W::from_word(word), Some(*value));
        }
        assert_eq!(W::from_word("something new"), None);
    }

    #[test]
    fn words_and_values_belong_together() {
        for enumeration in all() {
            (enumeration.round_trip)();
        }
    }

    #[test]
    fn every_word_is_documented_in_the_contract() {
        let contract: String = crate::INTERFACES.iter().map(|(_, xml)| *xml).collect();
        for word in all().into_iter().flat_map(|enumeration| enumeration.words) {
            assert!(contract.contains(&format!("\"{word}\"")), "{word}");
        }
    }
}
