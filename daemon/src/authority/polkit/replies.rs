//! Looks at polkit's replies before libpolkit does.
//!
//! libpolkit (seen in 122) takes a reply apart without looking at its type: one of another type
//! makes it read memory that was never written, and the answer may come out as "yes". So a reply
//! that is not what polkit's interface promises is turned into an error on its way in.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use gio::{DBusConnection, DBusMessage, DBusMessageType};

/// Type of what `CheckAuthorization` returns (org.freedesktop.PolicyKit1.Authority).
const PROMISED: &str = "(bba{ss})";

/// Checks the replies on this connection from now on.
pub(super) fn check_on(connection: &DBusConnection) {
    let open = Mutex::new(HashSet::new());
    connection.add_filter(move |_, message, incoming| {
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        if !incoming {
            if message.member().as_deref() == Some("CheckAuthorization") {
                open.insert(message.serial());
            }
            return Some(message.clone());
        }
        let is_verdict = open.remove(&message.reply_serial());
        Some(if is_verdict {
            checked(message)
        } else {
            message.clone()
        })
    });
}

fn checked(reply: &DBusMessage) -> DBusMessage {
    let is_return = reply.message_type() == DBusMessageType::MethodReturn;
    if !is_return || reply.signature() == PROMISED {
        return reply.clone();
    }
    let error = DBusMessage::new();
    error.set_message_type(DBusMessageType::Error);
    error.set_reply_serial(reply.reply_serial());
    error.set_sender(reply.sender().as_deref());
    error.set_error_name("org.freedesktop.DBus.Error.InvalidArgs");
    error.set_num_unix_fds(0);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(signature: &str) -> DBusMessage {
        let message = DBusMessage::new();
        message.set_message_type(DBusMessageType::MethodReturn);
        message.set_reply_serial(7);
        message.set_signature(Some(signature));
        message
    }

    #[test]
    fn only_a_reply_of_the_promised_type_passes() {
        assert_eq!(
            checked(&reply(PROMISED)).message_type(),
            DBusMessageType::MethodReturn
        );
        for garbage in ["", "b", "bba{ss}", "(bb)", "s"] {
            let error = checked(&reply(garbage));
            assert_eq!(error.message_type(), DBusMessageType::Error, "{garbage}");
            assert_eq!(error.reply_serial(), 7);
        }
    }
}
