//! The emulated machine's own keyboard and screen, where the live user is logged in on the first
//! console.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::console::Outcome;
use super::machine::Vm;

/// Looks at the screen, twice a second, before something is said not to come.
const TRIES: u32 = 240;
/// Times that keys are pressed before they are said to be without effect.
const PRESSES: u32 = 12;
/// Between two keys. The keyboard's buffer holds 16 bytes, of up to six for each.
const QUICKLY: Duration = Duration::from_millis(50);
const SLOWLY: Duration = Duration::from_millis(200);

impl Vm {
    /// Types a line at the keyboard; the keys are those of a US layout. A machine with much to do may
    /// miss some of them, so that Enter is pressed when the line is on the screen.
    pub fn type_at_keyboard(&mut self, line: &str) -> Result<()> {
        let quoted = line.replace('\'', r"'\''");
        let wait = within_seconds(5, &format!("grep -qaF '{quoted}' /dev/vcs"));
        for _ in 0..PRESSES {
            self.press_each(line, QUICKLY)?;
            if self.attempt(&wait)?.status == 0 {
                return self.press_each("\n", QUICKLY);
            }
            self.press(&["ctrl".to_owned(), "u".to_owned()])?;
        }
        bail!("{line:?} does not come to the screen")
    }

    /// Types a line that the screen does not show.
    pub fn type_unseen(&mut self, line: &str) -> Result<()> {
        self.press_each(&format!("{line}\n"), SLOWLY)
    }

    fn press_each(&mut self, characters: &str, pause: Duration) -> Result<()> {
        for character in characters.chars() {
            let keys = keys(character).with_context(|| format!("no key for {character:?}"))?;
            self.press(&keys)?;
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Looks at another of the text consoles, counted from 1, with Alt and a function key. A machine with
    /// much to do may miss that.
    pub fn switch_console(&mut self, number: u8) -> Result<()> {
        let reached = format!("grep -qx tty{number} /sys/class/tty/tty0/active");
        let wait = within_seconds(5, &reached);
        for _ in 0..PRESSES {
            self.press(&["alt".to_owned(), format!("f{number}")])?;
            if self.attempt(&wait)?.status == 0 {
                return Ok(());
            }
        }
        bail!("console {number} does not come")
    }

    /// Presses keys together.
    fn press(&mut self, keys: &[String]) -> Result<()> {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| json!({ "type": "qcode", "data": key }))
            .collect();
        self.qmp()
            .execute("send-key", json!({ "keys": keys, "hold-time": 20 }))
            .map(drop)
    }

    /// Waits until the screen shows a text and gives all that is on it.
    pub fn see(&mut self, text: &str) -> Result<String> {
        let shown = format!("grep -qaF '{text}' /dev/vcs");
        let Outcome { status, output } = self.attempt(&format!(
            "(for i in $(seq {TRIES}); do ! {shown} || break; sleep 0.5; done; \
             fold -w \"$(stty -F /dev/tty0 size | cut -d' ' -f2)\" /dev/vcs | grep '[^ ]'; {shown})"
        ))?;
        ensure!(status == 0, "no {text:?} on the screen:\n{output}");
        Ok(output)
    }
}

/// Shell words that wait until a condition holds, and fail if it does not.
fn within_seconds(seconds: u32, condition: &str) -> String {
    let tries = seconds * 10;
    format!("(for i in $(seq {tries}); do ! {condition} || exit 0; sleep 0.1; done; exit 1)")
}

/// The emulator's names (QKeyCode) of the keys that make a character.
fn keys(character: char) -> Option<Vec<String>> {
    let (shift, name) = match character {
        'a'..='z' | '0'..='9' => (false, character.to_string()),
        'A'..='Z' => (true, character.to_ascii_lowercase().to_string()),
        ' ' => (false, "spc".to_owned()),
        '\n' => (false, "ret".to_owned()),
        '-' => (false, "minus".to_owned()),
        '.' => (false, "dot".to_owned()),
        ';' => (false, "semicolon".to_owned()),
        '/' => (false, "slash".to_owned()),
        '\'' => (false, "apostrophe".to_owned()),
        _ => return None,
    };
    Some(
        shift
            .then(|| "shift".to_owned())
            .into_iter()
            .chain([name])
            .collect(),
    )
}
