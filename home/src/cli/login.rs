//! `wendy-home login`.

use clap::{Args, Subcommand};
use std::process::ExitCode;
use wendy_home::login::{hook, serve};

/// What the manual says beside the usage.
const MANUAL: &str = "\
To have your home on a stick: make a folder called pershome on it, on any computer, plug it in and \
log in. The first login makes a home of the folder; what was in it stays. Log out before you pull \
the stick. The logout takes as long as the stick needs for what is still to be written, which for \
hundreds of megabytes is minutes; a text console says so, and that the stick must stay plugged in. A \
stick that takes nothing for 30 seconds is not waited for. At the end of the logout all that was written \
is on the stick, and some ten seconds later, when what ran for you in the background has ended, it is \
free: then the unit wendy-home@UID.service is no longer active. To have the wait behind you before: \
wendy-home sync. If you pull the stick while you are logged in, all that was saved more than a few seconds \
ago is safe; plug it in again and close what complains.

It applies to users who are listed in /etc/ltsp/persistent_homes, one to a line, and to those who \
have a file called .persistent_home in their home directory. Logging in always works: without a \
stick, with one that has no such folder, or one that does not answer within 30 seconds, the home \
on the computer is used, and the login says why.

Of several sticks the one is taken whose home was used by the same user on this computer before. It is \
known by random bytes that the first login puts beside it (.wendy/secret), not by what everybody can \
read; where they are missing, or on a stick that was write-protected at all times, the home is a new one. If \
several fit equally, such as copies of one stick, none of them is taken, and the login names them. \
The first user of a home on a computer keeps it there: no other user is shown it, until root removes \
its file in /var/lib/wendy-home. Over the network, which ssh to the same computer is as well, only \
such a known home is taken.

A home kept as an image (wendy-home create --mode image) comes and goes in the same way. One that was \
never used here by this user is checked as a whole first. When its stick comes back after it was pulled in \
use, files have to be opened and directories entered (cd) again. Of a write-protected stick the home is \
shown, but nothing in it can be changed, and the login says so.

The package adds the hook to PAM with pam-auth-update(8). The unit wendy-home@UID.service keeps the \
home; it ends with the user's last session, and its journal names the programs that were still using \
the home then. Users who linger (loginctl enable-linger) keep the home on the computer, and so do \
programs that outlive a session without the stick, until loginctl terminate-user ends them. Where \
systemd does not run the hook starts the same server and counts the sessions by itself.";

/// Bring a home at login and let it go at logout; run by PAM and systemd.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL)]
pub struct Login {
    #[command(subcommand)]
    when: When,
}

#[derive(Debug, Subcommand)]
enum When {
    /// A session opens: get the home from the stick, for pam_exec(8)
    Open,
    /// A session closes: let the home go if it was the last, for pam_exec(8)
    Close,
    /// Find the stick, show the home, and keep it until asked to end
    Serve {
        /// Number of the user
        uid: u32,
    },
}

impl Login {
    pub fn run(&self) -> anyhow::Result<ExitCode> {
        let session = hook::Session::from_environment();
        match self.when {
            When::Open => hook::open(&session)?,
            When::Close => hook::close(&session)?,
            When::Serve { uid } => serve::serve(uid)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
