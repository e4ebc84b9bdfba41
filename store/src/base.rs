//! The identity of a base image: what a session was made on, and the only thing it fits.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// How many bytes from the start of a layer enter the identity. They hold the superblock of a
/// squashfs or erofs image with its creation time and the size of every table, so two different
/// images do not share them, and reading them costs nothing.
pub const HEAD_BYTES: usize = 4096;

/// What is known of one lower layer.
#[derive(Debug, Clone, Copy)]
pub struct LayerFacts<'a> {
    /// Its file name without directories: mount points differ from boot to boot.
    pub name: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// Its first bytes; no more than [`HEAD_BYTES`] count.
    pub head: &'a [u8],
}

/// SHA-256 over the ordered list of lower layers, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseImage(String);

/// A text that is no base image identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a base image is named by 64 hexadecimal digits in lower case")]
pub struct BaseImageError;

impl BaseImage {
    /// The identity of these layers, topmost first.
    #[must_use]
    pub fn from_layers(layers: &[LayerFacts<'_>]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"wendy base image 1\n");
        for layer in layers {
            let head = &layer.head[..layer.head.len().min(HEAD_BYTES)];
            // Every part is preceded by its length: no two lists run together to the same bytes.
            for part in [layer.name.as_bytes(), &layer.size.to_le_bytes(), head] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Self(
            hash.finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseImage {
    type Err = BaseImageError;

    fn from_str(text: &str) -> Result<Self, BaseImageError> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 64 && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BaseImageError)
        }
    }
}

impl fmt::Display for BaseImage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer<'a>(name: &'a str, size: u64, head: &'a [u8]) -> LayerFacts<'a> {
        LayerFacts { name, size, head }
    }

    #[test]
    fn order_name_size_and_head_all_count() {
        let one = layer("filesystem.squashfs", 9, b"hsqs");
        let two = layer("extra.squashfs", 9, b"hsqs");
        let lists: [&[LayerFacts<'_>]; 7] = [
            &[],
            &[one],
            &[one, two],
            &[two, one],
            &[layer("filesystem.squashfs", 8, b"hsqs")],
            &[layer("filesystem.squashfs", 9, b"hsqt")],
            &[layer("filesystem.squashfsh", 9, b"sqs")],
        ];
        let mut ids: Vec<_> = lists
            .iter()
            .map(|list| BaseImage::from_layers(list))
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), lists.len());
    }

    #[test]
    fn only_the_head_of_a_layer_counts() {
        let short = [7_u8; HEAD_BYTES];
        let long = [7_u8; HEAD_BYTES + 1];
        let of = |head| BaseImage::from_layers(&[layer("a", 1, head)]);
        assert_eq!(of(&short), of(&long));
    }

    #[test]
    fn the_text_form_is_read_again() {
        let base = BaseImage::from_layers(&[layer("a", 1, b"")]);
        assert_eq!(base.as_str().parse(), Ok(base.clone()));
        assert_eq!(
            base.as_str().to_uppercase().parse::<BaseImage>(),
            Err(BaseImageError)
        );
        assert_eq!("ab".parse::<BaseImage>(), Err(BaseImageError));
    }
}
