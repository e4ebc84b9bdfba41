//! Keys to the machine, its output to the terminal.

use std::io::{Read, Write, stdin, stdout};
use std::os::unix::net::UnixStream;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, poll};

/// Ctrl-], as in telnet: what follows is for us.
const ESCAPE: u8 = 0x1d;

/// Why the bridge was left.
pub enum Event {
    /// The machine is off.
    Off,
    /// The person wants the stick in or out.
    Plug,
    /// The person has had enough.
    Quit,
}

/// Carries bytes both ways until something happens that is not about bytes.
pub fn run(screen: &UnixStream) -> Result<Event> {
    let mut escaped = false;
    loop {
        let keyboard = stdin();
        let mut ready = [
            PollFd::new(&keyboard, PollFlags::IN),
            PollFd::new(screen, PollFlags::IN),
        ];
        poll(&mut ready, None)?;
        let [typed, shown] = ready.map(|fd| !fd.revents().is_empty());
        if shown && !show(screen)? {
            return Ok(Event::Off);
        }
        if typed && let Some(event) = press(screen, &mut escaped)? {
            return Ok(event);
        }
    }
}

/// False when the machine has closed its end.
fn show(mut screen: &UnixStream) -> Result<bool> {
    let mut buffer = [0; 4096];
    let read = screen.read(&mut buffer).unwrap_or(0);
    stdout().write_all(&buffer[..read])?;
    stdout().flush()?;
    Ok(read != 0)
}

fn press(mut screen: &UnixStream, escaped: &mut bool) -> Result<Option<Event>> {
    let mut key = [0];
    if rustix::io::read(stdin(), &mut key)? == 0 {
        return Ok(Some(Event::Quit));
    }
    let was_escaped = std::mem::replace(escaped, key[0] == ESCAPE);
    match (was_escaped, key[0]) {
        (true, b'p') => return Ok(Some(Event::Plug)),
        (true, b'q') => return Ok(Some(Event::Quit)),
        (false, ESCAPE) => {}
        _ => screen.write_all(&key)?,
    }
    Ok(None)
}
