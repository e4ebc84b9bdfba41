//! polkit itself, through libpolkit.
//!
//! Every call makes its objects anew on the calling thread: they must not move between threads.

use polkit::{CheckAuthorizationFlags, SystemBusName};

use super::{Authority, Question, Unavailable, Verdict};

/// The polkit of this system.
#[derive(Debug, Default)]
pub struct PolkitAuthority;

impl Authority for PolkitAuthority {
    fn check(
        &self,
        question: &Question,
        prompt: bool,
        withdraw: &gio::Cancellable,
    ) -> Result<Verdict, Unavailable> {
        let authority = polkit::Authority::sync(Some(withdraw)).map_err(no_answer)?;
        let flags = if prompt {
            CheckAuthorizationFlags::ALLOW_USER_INTERACTION
        } else {
            CheckAuthorizationFlags::NONE
        };
        let result = authority
            .check_authorization_sync(
                &SystemBusName::new(&question.caller),
                question.action.id(),
                Some(&details_of(question)),
                flags,
                Some(withdraw),
            )
            .map_err(no_answer)?;
        Ok(verdict(&result))
    }
}

fn details_of(question: &Question) -> polkit::Details {
    let details = polkit::Details::new();
    for (key, value) in question.details.iter() {
        details.insert(key, Some(value));
    }
    details
}

fn verdict(result: &polkit::AuthorizationResult) -> Verdict {
    if result.is_authorized() {
        Verdict::Yes
    } else if result.is_dismissed() {
        Verdict::Dismissed
    } else if result.is_challenge() {
        Verdict::Challenge
    } else {
        Verdict::No
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn no_answer(error: gio::glib::Error) -> Unavailable {
    Unavailable(error.message().to_owned())
}
