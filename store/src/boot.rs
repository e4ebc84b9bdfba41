//! What to add to the kernel's command line so that an untouched image starts a session.
//!
//! Sources: live-boot(7) and its `9990-cmdline-old` (the storage kind `directory` is not in the
//! manual), casper(7), dracut.cmdline(7).

use crate::{SessionId, Stack, layout};

/// Where a session is kept, as far as booting it goes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The session.
    pub session: SessionId,
    /// The stack that boots it.
    pub stack: Stack,
    /// Whether it is the default of its store.
    pub default: bool,
    /// Whether its store is an image file on another filesystem.
    pub in_image: bool,
    /// UUID of the filesystem of the store.
    pub filesystem: &'a str,
}

/// Why a stock image cannot start a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBootable {
    /// This stack only looks for the default session of such a store.
    #[error("{0} starts only the default session from here, make this one the default first")]
    OnlyDefault(Stack),
    /// This stack has no parameter that leads into an image file with several sessions.
    #[error("{0} cannot start a session from an image file")]
    InImage(Stack),
    /// The filesystem has no UUID that can stand on a command line.
    #[error("the filesystem has no usable UUID")]
    NoUuid,
}

/// The kernel parameters that make a stock image start this session.
///
/// # Errors
/// Why there are none.
pub fn parameters(place: &Place<'_>) -> Result<String, NotBootable> {
    match place.stack {
        Stack::Casper if place.default => Ok("persistent".to_owned()),
        Stack::LiveBoot if place.default && place.in_image => {
            Ok("persistence persistence-storage=file".to_owned())
        }
        Stack::LiveBoot if place.default => Ok("persistence".to_owned()),
        Stack::LiveBoot if !place.in_image => Ok(live_boot_directory(place.session)),
        Stack::Dracut if !place.in_image => dracut_directory(place),
        Stack::Dracut => Err(NotBootable::InImage(place.stack)),
        Stack::Casper | Stack::LiveBoot => Err(NotBootable::OnlyDefault(place.stack)),
    }
}

fn live_boot_directory(session: SessionId) -> String {
    let sessions = layout::SESSIONS;
    format!(
        "persistence persistence-storage=directory persistence-path={sessions} \
         persistence-label={session}"
    )
}

/// The path goes through `current`: what a link `upper` in the session leads to is for casper.
fn dracut_directory(place: &Place<'_>) -> Result<String, NotBootable> {
    if !is_uuid(place.filesystem) {
        return Err(NotBootable::NoUuid);
    }
    let upper = format!(
        "/{}/{}/upper",
        layout::session_dir(place.session),
        layout::CURRENT
    );
    Ok(format!(
        "rd.live.overlay=UUID={}:{upper} rd.live.overlay.overlayfs=1",
        place.filesystem
    ))
}

/// Filesystem UUIDs come from the medium; a space in one would be a second kernel parameter.
fn is_uuid(text: &str) -> bool {
    (1..=36).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(stack: Stack, default: bool, in_image: bool) -> Place<'static> {
        let session = "00000000-0000-4000-8000-000000000001".parse().unwrap();
        Place {
            session,
            stack,
            default,
            in_image,
            filesystem: "dead-BEEF",
        }
    }

    #[test]
    fn default_sessions_need_one_word() {
        let of = |stack, in_image| parameters(&place(stack, true, in_image)).unwrap();
        assert_eq!(of(Stack::Casper, false), "persistent");
        assert_eq!(of(Stack::Casper, true), "persistent");
        assert_eq!(of(Stack::LiveBoot, false), "persistence");
        assert_eq!(
            of(Stack::LiveBoot, true),
            "persistence persistence-storage=file"
        );
    }

    #[test]
    fn other_sessions_are_named_by_their_directory() {
        assert_eq!(
            parameters(&place(Stack::LiveBoot, false, false)).unwrap(),
            "persistence persistence-storage=directory persistence-path=casper/sessions \
             persistence-label=00000000-0000-4000-8000-000000000001"
        );
        assert_eq!(
            parameters(&place(Stack::Dracut, false, false)).unwrap(),
            "rd.live.overlay=UUID=dead-BEEF:/casper/sessions/00000000-0000-4000-8000-000000000001\
             /current/upper rd.live.overlay.overlayfs=1"
        );
    }

    #[test]
    fn what_a_stock_image_cannot_do_is_said() {
        let of = |stack, default, in_image| parameters(&place(stack, default, in_image));
        let casper = Err(NotBootable::OnlyDefault(Stack::Casper));
        assert_eq!(of(Stack::Casper, false, false), casper);
        let live_boot = Err(NotBootable::OnlyDefault(Stack::LiveBoot));
        assert_eq!(of(Stack::LiveBoot, false, true), live_boot);
        assert_eq!(
            of(Stack::Dracut, true, true),
            Err(NotBootable::InImage(Stack::Dracut))
        );
    }

    #[test]
    fn a_uuid_from_a_medium_cannot_add_parameters() {
        for uuid in ["", "1234 init=/bin/sh", "a\"b", "g"] {
            let place = Place {
                filesystem: uuid,
                ..place(Stack::Dracut, true, false)
            };
            assert_eq!(parameters(&place), Err(NotBootable::NoUuid), "{uuid}");
        }
    }
}
