//! The server: gets the home of one user for a login that waits, and keeps it until the last logout.

use super::answer::Answer;
use super::check::{self, Checked};
use super::choose::{Found, choose};
use super::claims::{Claims, Owner};
use super::in_use::{Files, InImage, InUse};
use super::look::{self, Content, Held};
use super::open::{Opened, Terms, open};
use super::pace;
use super::person::Person;
use super::place::Place;
use super::plugged::OnPlugged;
use super::reserved::Reserved;
use super::sticks::{self, Stick};
use super::watch::{self, Returns, Watched};
use super::{HERE, holders, lower, too_late};
use crate::home::Home;
use crate::image::serve::Shown;
use crate::image::{self, MountedImage};
use crate::mount::{self, MountOptions};
use crate::sync;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wendy_sys::mountinfo::{self, Mount};

/// A home that is there and not yet shown.
struct Arrived {
    stick: Stick,
    checked: Checked,
    held: Held,
    home: Opened,
    target: PathBuf,
}

/// Serves the user with the number `uid`, until asked to end. Where there is no home to be had the
/// login is told why, and that is all.
///
/// # Errors
/// Those of mounting, and of the files in `/run`.
pub fn serve(uid: u32) -> io::Result<()> {
    let nobody = || io::Error::other(format!("there is no user {uid}"));
    let person = Person::numbered(uid).ok_or_else(nobody)?;
    // A login that started this process must not take it along. It fails for a service of systemd's,
    // which is on its own already.
    let _ = rustix::process::setsid();
    let place = Arc::new(Place::of(uid)?);
    let _running = match place.serve() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Answer::within_patience(&place)?.refuse(&too_late());
        }
        other => other?,
    };
    place.say("").map_err(io::Error::other)?;
    place.note_present().map_err(io::Error::other)?;
    // Who asks it to end waits for the check: it writes.
    mount::block_signals()?;
    pace::tell_systemd(&place)?;
    let answer = Answer::within_patience(&place)?;
    clear(&person, &place)?;
    let served = match arrive(&person, &answer, &place) {
        Ok(arrived) => keep(arrived, &person, &answer, &place),
        Err(why) => {
            tracing::warn!(user = %person.name, why);
            answer.refuse(&why)
        }
    };
    lower::detach(&place).map_err(io::Error::other)?;
    served
}

/// Whether a home is mounted at the user's home directory, read without touching it.
#[must_use]
pub fn is_mounted(person: &Person) -> bool {
    homes_of(person).next().is_some()
}

/// Takes away what a server that was killed has left.
fn clear(person: &Person, place: &Place) -> io::Result<()> {
    for left in homes_of(person) {
        tracing::warn!(path = %left.mount_point.display(), "unmounting what was left there");
        wendy_sys::mount::detach(&left.mount_point, true).map_err(io::Error::other)?;
    }
    lower::detach(place).map_err(io::Error::other)
}

fn homes_of(person: &Person) -> impl Iterator<Item = Mount> {
    // Links are followed for the parent only: the directory itself may be dead.
    let parent = person.home.parent().map(Path::canonicalize);
    let real = match (parent, person.home.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => person.home.clone(),
    };
    let mounts = mountinfo::read().unwrap_or_default().into_iter();
    mounts.filter(move |mount| {
        mount.mount_point == real && (mount.source == mount::SOURCE || sync::is_image(mount))
    })
}

/// Finds, checks and opens the home.
fn arrive(person: &Person, answer: &Answer, place: &Place) -> Result<Arrived, String> {
    let waiting = place.waiting().ok_or("nobody waits at the login")?;
    let target = person.safe_home()?;
    let claims = Claims::of_this_computer();
    let chosen = choose(find(person, &claims)?, waiting.remote)?;
    let stick = chosen.stick;
    tracing::info!(user = %person.name, stick = %stick.name, node = %stick.node.display(), "found");
    let sorry = |error: &dyn std::fmt::Display| {
        format!("The stick {} cannot be used: {error}. {HERE}", stick.name)
    };
    let checked = check::check(&stick).map_err(|error| sorry(&error))?;
    let medium = lower::mount(&stick, place).map_err(|error| sorry(&error))?;
    let terms = Terms {
        person,
        writable: !stick.read_only,
        known: chosen.owner == Owner::Me,
    };
    let (held, home) = open(medium, terms).map_err(|error| sorry(&error))?;
    // It may have looked like another one before it was brought in order.
    let is_another = matches!(chosen.content, Content::Home(looked) if looked.id != held.id);
    let owner = claims.owner(&held, person);
    if is_another || owner != Owner::Me && owner != chosen.owner {
        return Err(sorry(&"it holds another home than it seemed to"));
    }
    claims.claim(&held, person).map_err(|error| sorry(&error))?;
    if !answer.decide() {
        return Err(format!(
            "The stick {} is in order now. Log out and in again to have your home.",
            stick.name
        ));
    }
    Ok(Arrived {
        stick,
        checked,
        held,
        home,
        target,
    })
}

fn find(person: &Person, claims: &Claims) -> Result<Vec<Found>, String> {
    let sticks = sticks::find().map_err(|error| format!("udev does not answer: {error}"))?;
    let look = |stick: Stick| {
        let content = look::look(&stick)?;
        let owner = match &content {
            Content::Home(held) => claims.owner(held, person),
            _ => Owner::Nobody,
        };
        tracing::info!(stick = %stick.name, node = %stick.node.display(), ?content, ?owner, "seen");
        Some(Found {
            stick,
            content,
            owner,
        })
    };
    Ok(sticks.into_iter().filter_map(look).collect())
}

/// Shows the home until the end.
fn keep(arrived: Arrived, person: &Person, answer: &Answer, place: &Arc<Place>) -> io::Result<()> {
    let Arrived {
        stick,
        checked,
        held,
        home,
        target,
    } = arrived;
    let _reserved = Reserved::new(&stick).inspect_err(
        |error| tracing::warn!(%error, "a desktop may mount the stick when it is back"),
    );
    let source = Source {
        stick,
        checked,
        held,
        place: Arc::clone(place),
        answer: answer.clone(),
        returns: Arc::default(),
    };
    let kept = match home {
        Opened::Files(home) => keep_files(*home, &target, &source),
        Opened::FilesReadOnly(home) => keep_files(*home, &target, &source),
        Opened::Image(mounted) => keep_image(mounted, &target, &source, (person.uid, person.gid)),
    };
    source.returns.end();
    kept
}

fn keep_files<M: OnPlugged>(home: Home<M>, target: &Path, source: &Source) -> io::Result<()> {
    let options = MountOptions {
        when_busy: let_go,
        read_only: source.stick.read_only,
        ..MountOptions::default()
    };
    mount::serve(home, target, options, |home, kernel| {
        let home = Arc::clone(home);
        source.begin(Files { home, kernel })
    })
}

fn keep_image(
    mounted: MountedImage,
    target: &Path,
    source: &Source,
    owner: (u32, u32),
) -> io::Result<()> {
    let read_only = source.stick.read_only;
    let begin = |shown: &Arc<Shown>| {
        source.begin(InImage {
            shown: Arc::clone(shown),
            owner,
            read_only,
        })
    };
    image::serve::serve(mounted, target, let_go, begin).map_err(io::Error::other)
}

/// Where a home comes from.
struct Source {
    stick: Stick,
    checked: Checked,
    held: Held,
    place: Arc<Place>,
    answer: Answer,
    returns: Arc<Returns>,
}

impl Source {
    /// Tells the login that the home is there, and watches the stick from now on.
    fn begin(&self, home: impl InUse) -> io::Result<()> {
        let watched = Watched {
            home,
            stick: self.stick.clone(),
            held: self.held,
            place: Arc::clone(&self.place),
            returns: Arc::clone(&self.returns),
        };
        if let Err(error) = watch::start(watched) {
            tracing::warn!(%error, "a pulled stick will not be noticed");
        }
        self.answer.tell(&self.welcome())
    }

    fn welcome(&self) -> String {
        let mut said = format!("Your home is on the stick {}.", self.stick.name);
        if self.stick.read_only {
            said +=
                " The stick is write-protected: you can read your home, but change nothing in it.";
        }
        if let Checked::Without(tool) = &self.checked {
            said += &format!(
                " It was not checked for damage, because {tool} is not installed on this computer."
            );
        }
        said
    }
}

/// At the last logout somebody still has files open: says who, and lets them keep these, while the
/// home is no longer there for others.
fn let_go(home: &Path) {
    for holder in holders::of(home) {
        tracing::warn!(pid = holder.pid, name = %holder.name, path = %holder.path.display(),
            "still uses the home");
    }
    if let Err(error) = wendy_sys::mount::detach(home, true) {
        tracing::error!(%error, "cannot let the home go");
    }
}
