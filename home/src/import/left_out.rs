//! What an import leaves out, and why.

use std::fmt;

/// Something that did not come in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// Its path in the source.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// Why something did not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its path leads out of the home, or no home can have it.
    Path,
    /// What it lies in came as something other than a directory.
    Above,
    /// It is another name of something that did not come.
    Link,
    /// It is of a kind that is not known.
    Kind,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "no home can have this path",
            Self::Above => {
                "it lies below something that came as a link or a file and not as a directory: unpack \
                 the archive elsewhere and bring in what you get"
            }
            Self::Link => "it is another name of something that is not there",
            Self::Kind => {
                "of a kind that is not known: unpack the archive elsewhere and bring in what you get"
            }
        })
    }
}
