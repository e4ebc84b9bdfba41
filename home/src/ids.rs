//! Identities and times: inode numbers, owners as roles, nanosecond times.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An inode number: never used twice on one medium, the same on every machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The root directory of the home (as FUSE numbers it).
    pub const ROOT: Self = Self(1);
    /// The private directory `.wendy/tmp`, where lower files wait for their name. Not an inode.
    pub const TMP: Self = Self(2);
    /// The first number given to a file.
    pub const FIRST: Self = Self(16);
}

impl fmt::Debug for Ino {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Who owns a file: a role, because numbers differ between machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The person whose home this is, or that person's own group.
    Me,
    /// A number kept as it was given; 0 is root.
    Id(u32),
}

impl Owner {
    /// The role of `id` while the home belongs to `me`.
    #[must_use]
    pub fn from_id(id: u32, me: u32) -> Self {
        if id == me { Self::Me } else { Self::Id(id) }
    }

    /// The number this machine shows for the role.
    #[must_use]
    pub fn to_id(self, me: u32) -> u32 {
        match self {
            Self::Me => me,
            Self::Id(id) => id,
        }
    }
}

/// A time: seconds since 1970 and nanoseconds (below 10⁹) on top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Whole seconds, negative before 1970.
    pub seconds: i64,
    /// The rest.
    pub nanos: u32,
}

impl Time {
    /// The present by the system clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let (seconds, nanos) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (i128::from(after.as_secs()), after.subsec_nanos()),
            Err(before) => before_epoch(before.duration()),
        };
        Self {
            seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
            nanos,
        }
    }
}

fn before_epoch(before: Duration) -> (i128, u32) {
    let seconds = -i128::from(before.as_secs());
    match before.subsec_nanos() {
        0 => (seconds, 0),
        nanos => (seconds - 1, 1_000_000_000 - nanos),
    }
}

impl From<Time> for SystemTime {
    /// Times the platform cannot hold become the epoch: they come from a hostile medium.
    fn from(time: Time) -> Self {
        let whole = Duration::from_secs(time.seconds.unsigned_abs());
        let base = if time.seconds >= 0 {
            UNIX_EPOCH.checked_add(whole)
        } else {
            UNIX_EPOCH.checked_sub(whole)
        };
        base.and_then(|base| base.checked_add(Duration::from_nanos(u64::from(time.nanos))))
            .unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_through_system_time() {
        for (seconds, nanos) in [
            (0, 0),
            (1, 999_999_999),
            (-1, 1),
            (-7, 0),
            (4_000_000_000, 5),
        ] {
            let time = Time { seconds, nanos };
            assert_eq!(Time::from(SystemTime::from(time)), time);
        }
    }

    #[test]
    fn roles_follow_the_user_to_another_machine() {
        assert_eq!(Owner::from_id(1000, 1000).to_id(2001), 2001);
        assert_eq!(Owner::from_id(0, 1000).to_id(2001), 0);
    }
}
