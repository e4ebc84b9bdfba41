//! Which entries of an upper stay behind.

use std::ffi::CStr;

use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use xxhash_rust::xxh3::Xxh3Default;

use crate::index::{Index, Key};
use crate::place::Place;
use crate::{EntryPath, Error, Result};

/// A set of anchored globs on paths relative to the upper.
///
/// `*` and `?` stop at `/`, `**` does not. An excluded directory takes everything below it along:
/// `var/cache` and `var/cache/**` differ only in whether the directory itself is kept.
#[derive(Debug, Clone, Default)]
pub struct Exclude {
    set: Option<GlobSet>,
    fingerprint: u64,
}

impl Exclude {
    /// Excludes nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Compiles `patterns`; a leading `/` is allowed and means the same as none.
    ///
    /// # Errors
    /// [`Error::Exclude`] names the first pattern that is not a glob or would exclude everything.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut set = GlobSetBuilder::new();
        let mut fingerprint = Xxh3Default::new();
        let mut empty = true;
        for pattern in patterns {
            let glob = compile(pattern)?;
            fingerprint.update(glob.glob().as_bytes());
            fingerprint.update(b"\0");
            set.add(glob);
            empty = false;
        }
        if empty {
            return Ok(Self::nothing());
        }
        let set = set
            .build()
            .map_err(|error| refuse("all together", &error.to_string()))?;
        Ok(Self {
            set: Some(set),
            fingerprint: fingerprint.digest(),
        })
    }

    /// Whether no pattern was given.
    pub fn is_empty(&self) -> bool {
        self.set.is_none()
    }

    /// Whether the entry at `path` stays behind.
    pub fn matches(&self, path: &EntryPath) -> bool {
        self.set
            .as_ref()
            .is_some_and(|set| set.is_match_candidate(&Candidate::from_bytes(path.as_bytes())))
    }
}

impl Exclude {
    /// Tells one list of patterns from another.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// What of an upper is looked at, where a part of it may have been copied before.
pub(crate) struct Extent<'a> {
    exclude: &'a Exclude,
    /// What was copied with the same things left out.
    copied: Option<&'a Index>,
}

impl<'a> Extent<'a> {
    pub(crate) fn new(exclude: &'a Exclude, known: Option<&'a Index>) -> Self {
        let copied = known.filter(|index| index.leaves_out(exclude));
        Self { exclude, copied }
    }

    /// Whether what is known was made with the same things left out.
    pub(crate) fn is_as_known(&self) -> bool {
        self.copied.is_some()
    }

    /// Whether the entry `name` of `dir`, which has the key `parent`, is left out. What was copied
    /// is not, and its path need not be spelled out for that.
    pub(crate) fn leaves_out<T>(&self, (dir, parent): (&Place<T>, Key), name: &CStr) -> bool {
        !self.exclude.is_empty()
            && !self.copied.is_some_and(|index| index.has(parent.of(name)))
            && self.exclude.matches(&dir.path_of(name))
    }
}

fn compile(pattern: &str) -> Result<globset::Glob> {
    let relative = pattern.trim_start_matches('/').trim_end_matches('/');
    if relative.is_empty() {
        return Err(refuse(pattern, "it names the whole upper"));
    }
    if relative.split('/').any(|part| part == "." || part == "..") {
        return Err(refuse(pattern, "it contains . or .."));
    }
    GlobBuilder::new(relative)
        .literal_separator(true)
        .build()
        .map_err(|error| refuse(pattern, &error.kind().to_string()))
}

fn refuse(pattern: &str, reason: &str) -> Error {
    Error::Exclude {
        pattern: pattern.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored() {
        let exclude = Exclude::new(["/var/cache/**", "swapfile", "home/*/.cache"]).unwrap();
        let cases = [
            ("var/cache", false),
            ("var/cache/apt", true),
            ("swapfile", true),
            ("home/swapfile", false),
            ("home/ann/.cache", true),
            ("home/ann/b/.cache", false),
        ];
        for (path, excluded) in cases {
            assert_eq!(exclude.matches(&EntryPath::new(path)), excluded, "{path}");
        }
    }

    #[test]
    fn useless_patterns_are_refused() {
        for pattern in ["", "/", "a/../b", "[z-a]", "{a"] {
            assert!(
                matches!(Exclude::new([pattern]), Err(Error::Exclude { .. })),
                "{pattern}"
            );
        }
    }

    #[test]
    fn names_need_not_be_utf8() {
        let exclude = Exclude::new(["tmp/*"]).unwrap();
        assert!(exclude.matches(&EntryPath::new(&b"tmp/\xff\n"[..])));
    }
}
