//! Names from media and drives, made harmless for a terminal.
//!
//! Control characters could move the cursor or ring bells, bidirectional ones could show a name
//! backwards, invisible ones could make two names look the same. They are shown as `\u{…}`.

/// The text with everything that is not plainly visible written out.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) {
            out.push(c)
        } else {
            out.extend(c.escape_unicode())
        }
    }
    out
}

/// The text in quotes, so that one can see where it ends.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", safe(text).replace('"', "\\\""))
}

fn is_harmless(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Format characters (Unicode category Cf), line and paragraph separators, blanks that are no space
/// and variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{115f}'..='\u{1160}' | '\u{1680}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}'
        | '\u{2800}' | '\u{3000}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "Biofuel report",
            "Été",
            "報告書",
            "отчёт",
            "दस्तावेज़",
            "🙂",
            "a\\b",
        ] {
            assert_eq!(safe(name), name);
        }
    }

    #[test]
    fn a_terminal_is_never_told_what_to_do() {
        assert_eq!(safe("\x1b[2Jx"), "\\u{1b}[2Jx");
        assert_eq!(safe("a\nb\tc\r"), "a\\u{a}b\\u{9}c\\u{d}");
        assert_eq!(safe("\u{9b}31m\u{7f}"), "\\u{9b}31m\\u{7f}");
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        assert_eq!(safe("good\u{202e}lave"), "good\\u{202e}lave");
        assert_eq!(safe("a\u{200b}b\u{2028}"), "a\\u{200b}b\\u{2028}");
        assert_eq!(safe("\u{e0041}"), "\\u{e0041}");
    }

    #[test]
    fn quotes_cannot_be_closed_from_inside() {
        assert_eq!(quoted("a\" on sdb"), "\"a\\\" on sdb\"");
    }
}
