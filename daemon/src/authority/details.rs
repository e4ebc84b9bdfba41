//! What a question is about, for prompts and for the administrator's rules.
//!
//! Labels, names and what a drive says of itself are a stranger's words. They end up in password
//! prompts, so nothing in them may start a line, change colours or turn the reading direction.

use crate::model::{Device, Session, Store};

/// Longest value passed on, in characters; the rest is replaced by one `…`.
const MAX_CHARS: usize = 120;

/// Named values for polkit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details(Vec<(&'static str, String)>);

impl Details {
    /// Nothing to say.
    pub fn new() -> Details {
        Details::default()
    }

    /// Adds a value, made safe to show.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Details {
        self.0.push((key, clean(value)));
        self
    }

    /// Adds what is known of a device.
    #[must_use]
    pub fn with_device(self, device: &Device) -> Details {
        self.with("device", &device.node)
            .with("drive.vendor", &device.vendor)
            .with("drive.model", &device.model)
            .with("drive.serial", &device.serial)
            .with("drive.removable", yes_no(device.removable))
            .with("drive.removable.bus", &device.bus)
            .with("id.type", &device.filesystem_type)
            .with("id.label", &device.label)
    }

    /// Adds what is known of a store.
    #[must_use]
    pub fn with_store(self, store: &Store) -> Details {
        self.with("store", &store.name)
    }

    /// Adds what is known of a session.
    #[must_use]
    pub fn with_session(self, session: &Session) -> Details {
        self.with("session", &session.name)
    }

    /// The names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, value)| (*key, value.as_str()))
    }
}

fn yes_no(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

fn clean(text: &str) -> String {
    let mut clean = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == MAX_CHARS {
            clean.push('…');
            break;
        }
        if is_harmless(c) {
            clean.push(c);
        } else {
            clean.extend(c.escape_unicode());
        }
    }
    clean
}

/// No control character, no markup, and nothing of the Unicode "Format" kind that hides or turns
/// text (UAX #9 explicit formatting, zero-width characters, separators, tags).
///
/// `$` is refused because polkit replaces `$(name)` in messages.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '<' | '>' | '&' | '$')
        && !matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        && !matches!(c, '\u{2060}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in [
            "Biofuel report",
            "Zoë’s Stick 2",
            "日本語",
            "-rf *; %n%s",
            "../etc",
        ] {
            assert_eq!(clean(name), name);
        }
    }

    #[test]
    fn nothing_in_a_label_can_draw_on_the_prompt() {
        let nasty = "a\nb\u{1b}[31m\u{202e}evil</tt>$(device)";
        assert_eq!(
            clean(nasty),
            "a\\u{a}b\\u{1b}[31m\\u{202e}evil\\u{3c}/tt\\u{3e}\\u{24}(device)"
        );
    }

    #[test]
    fn long_labels_are_cut() {
        assert_eq!(clean(&"x".repeat(65536)).chars().count(), MAX_CHARS + 1);
    }
}
