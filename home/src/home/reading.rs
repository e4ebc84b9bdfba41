//! Reading directories piece by piece.

use super::{Attributes, Home, Ino, Medium, Result, State};
use rustix::io::Errno;

/// One line of a directory that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Where reading goes on behind it.
    pub cookie: u64,
    /// What it leads to.
    pub attributes: Attributes,
}

impl<M: Medium> Home<M> {
    /// Gives the lines of `dir` behind the one with the cookie `after`, or all for 0, to `take` until
    /// it refuses one. First come `.` and `..`. Each name that stays is read once, whatever comes and
    /// goes meanwhile. With `hold` the kernel refers to what it takes, but for the first two, once more.
    ///
    /// # Errors
    /// `ENOTDIR`.
    pub fn read_dir(
        &self,
        dir: Ino,
        after: u64,
        hold: bool,
        mut take: impl FnMut(&Line<'_>) -> bool,
    ) -> Result<()> {
        let mut state = self.state_at([dir])?;
        if !state.table.is_directory(dir) {
            return Err(Errno::NOTDIR);
        }
        let dots = [(&b"."[..], dir), (b"..", state.table.parent(dir))];
        for (cookie, (name, ino)) in (1..).zip(dots) {
            let attributes = self.attributes_in(&state, ino)?;
            let line = Line {
                name,
                cookie,
                attributes,
            };
            if cookie > after && !take(&line) {
                return Ok(());
            }
        }
        let mut at = after;
        while let Some(cookie) = self.read_line(&mut state, (dir, at), hold, &mut take)? {
            at = cookie;
        }
        Ok(())
    }

    /// Gives one line to `take`; its cookie if that took it.
    fn read_line(
        &self,
        state: &mut State<M>,
        (dir, after): (Ino, u64),
        hold: bool,
        take: &mut impl FnMut(&Line<'_>) -> bool,
    ) -> Result<Option<u64>> {
        let Some((name, entry)) = state.table.entry_after(dir, after) else {
            return Ok(None);
        };
        let (ino, cookie) = (entry.ino, entry.cookie);
        state.take_over_writes(ino)?;
        let line = Line {
            name: &name,
            cookie,
            attributes: self.attributes_in(state, ino)?,
        };
        if !take(&line) {
            return Ok(None);
        }
        if hold {
            *state.held.entry(ino).or_default() += 1;
        }
        Ok(Some(cookie))
    }
}
