//! polkit itself, through libpolkit.
//!
//! Every call makes its objects anew on the calling thread: they must not move between threads.

use std::sync::OnceLock;

use gio::{BusType, Cancellable, DBusConnection, bus_get_sync};
use polkit::{CheckAuthorizationFlags, SystemBusName};

use super::{Authority, Question, Unavailable, Verdict};

mod replies;

/// The polkit of this system.
#[derive(Debug, Default)]
pub struct PolkitAuthority;

impl Authority for PolkitAuthority {
    fn check(
        &self,
        question: &Question,
        prompt: bool,
        withdraw: &Cancellable,
    ) -> Result<Verdict, Unavailable> {
        prepare_connection(withdraw)?;
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

/// libpolkit uses the one connection a process has to the system bus; this takes charge of it
/// first, and keeps it, because another one would be made in its place.
fn prepare_connection(withdraw: &Cancellable) -> Result<(), Unavailable> {
    static CONNECTION: OnceLock<DBusConnection> = OnceLock::new();
    let connection = bus_get_sync(BusType::System, Some(withdraw)).map_err(no_answer)?;
    CONNECTION.get_or_init(|| {
        // Without this GLib ends the daemon, jobs or not, when the bus goes away.
        connection.set_exit_on_close(false);
        replies::check_on(&connection);
        connection
    });
    Ok(())
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
