//! Which stick it is, or why it is none; in words for the person at the login.

use super::HERE;
use super::claims::Owner;
use super::look::{Content, HomeId};
use super::sticks::{Stick, shown_path};

/// A stick and what was found about it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The stick.
    pub stick: Stick,
    /// What it holds.
    pub content: Content,
    /// Whose the home on it is.
    pub owner: Owner,
}

impl Found {
    fn home(&self) -> Option<HomeId> {
        match self.content {
            Content::Home(held) => Some(held.id),
            _ => None,
        }
    }

    fn is_vacant(&self) -> bool {
        self.content == Content::Vacant
    }
}

/// Takes the one stick that is meant: the person's own before those nobody has used here, and homes
/// before folders that are to become one. Over the network nothing is taken for the first time: who
/// is there did not plug it in.
///
/// # Errors
/// Why none is taken, and what to do.
pub fn choose(found: Vec<Found>, remote: bool) -> Result<Found, String> {
    let own = |one: &Found| one.home().is_some() && one.owner == Owner::Me;
    let new = |one: &Found| !remote && one.home().is_some() && one.owner == Owner::Nobody;
    let vacant = |one: &Found| !remote && one.is_vacant();
    for wanted in [&own as &dyn Fn(&Found) -> bool, &new, &vacant] {
        let fitting: Vec<_> = found.iter().filter(|one| wanted(one)).collect();
        match fitting.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => return Err(too_many(several)),
        }
    }
    Err(why_none(&found, remote))
}

fn too_many(several: &[&Found]) -> String {
    let names: Vec<_> = several.iter().map(|one| name_among(one, several)).collect();
    let first = several[0].home();
    let same = first.is_some() && several.iter().all(|one| one.home() == first);
    let what = if same {
        "The sticks {} hold copies of the same home."
    } else {
        "The sticks {} could all be your home."
    };
    let what = what.replace("{}", &names.join(", "));
    format!("{what} Log out, leave only the right one plugged in, and log in again. {HERE}")
}

/// What to call one of several: copies have the same label.
fn name_among(one: &Found, several: &[&Found]) -> String {
    let Stick { name, node, .. } = &one.stick;
    let is_namesake = |other: &&&Found| other.stick.name == *name;
    match several.iter().filter(is_namesake).count() {
        0 | 1 => name.clone(),
        _ => format!("{name} ({})", node.display()),
    }
}

fn why_none(found: &[Found], remote: bool) -> String {
    let reasons: Vec<_> = found
        .iter()
        .filter(|one| one.content != Content::None)
        .map(|one| reason(one, remote))
        .collect();
    if !reasons.is_empty() {
        return format!("{}\n{HERE}", reasons.join("\n"));
    }
    match found {
        [] => format!("No stick with your home is plugged in. {HERE}"),
        _ => how_to_make_one(found),
    }
}

fn reason(one: &Found, remote: bool) -> String {
    let name = &one.stick.name;
    match (&one.content, &one.owner) {
        (Content::Busy(path), _) => format!(
            "The stick {name} is in use: it is mounted at {}. Unmount it, log out and log in again.",
            shown_path(path)
        ),
        (Content::Unusable(why), _) => format!("The stick {name} cannot be used: {why}."),
        (_, Owner::Other(other, noted)) => format!(
            "The home on the stick {name} belongs to {other} on this computer. \
             If that is wrong, root removes {}.",
            noted.display()
        ),
        _ if remote => format!(
            "The home on the stick {name} was never used on this computer: \
             log in at the computer itself the first time."
        ),
        _ => format!("The stick {name} is not used."),
    }
}

fn how_to_make_one(found: &[Found]) -> String {
    let names: Vec<_> = found.iter().map(|one| one.stick.name.as_str()).collect();
    let there = match names.as_slice() {
        [one] => format!("There is no home on the stick {one}."),
        several => format!("There is no home on the sticks {}.", several.join(", ")),
    };
    format!(
        "{there}\nTo keep yours on a stick: make a folder called pershome on it, on any computer, \
         and log in again.\n{HERE}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::check::Filesystem;
    use crate::login::look::Held;
    use std::path::PathBuf;
    use wendy_sys::DevNum;

    fn found(name: &str, content: Content, owner: Owner) -> Found {
        let stick = Stick {
            node: PathBuf::from("/dev/sda1"),
            devnum: DevNum::new(1),
            filesystem: Filesystem::Vfat,
            uuid: String::from("1234-5678"),
            name: name.into(),
            read_only: false,
        };
        Found {
            stick,
            content,
            owner,
        }
    }

    fn home(name: &str, id: u8, owner: Owner) -> Found {
        let (id, secret) = ([id; 16], None);
        found(name, Content::Home(Held { id, secret }), owner)
    }

    fn others() -> Owner {
        Owner::Other("bob".into(), PathBuf::from("/var/lib/wendy-home/x"))
    }

    fn taken(found: Vec<Found>, remote: bool) -> String {
        choose(found, remote).map_or_else(|why| why, |one| one.stick.name)
    }

    #[test]
    fn ones_own_stick_is_taken_before_all_others() {
        let sticks = vec![
            home("NEW", 1, Owner::Nobody),
            home("OWN", 2, Owner::Me),
            home("BOBS", 3, others()),
            found("FOLDER", Content::Vacant, Owner::Nobody),
        ];
        assert_eq!(taken(sticks.clone(), false), "OWN");
        assert_eq!(taken(sticks[2..].to_vec(), false), "FOLDER");
        assert_eq!(taken(sticks[..1].to_vec(), false), "NEW");
    }

    #[test]
    fn several_that_fit_equally_are_left_alone() {
        let copies = vec![home("ONE", 1, Owner::Me), home("TWO", 1, Owner::Me)];
        assert!(taken(copies, false).contains("ONE, TWO hold copies of the same home"));
        let strangers = vec![home("ONE", 1, Owner::Nobody), home("TWO", 2, Owner::Nobody)];
        assert!(taken(strangers, false).contains("could all be your home"));
    }

    #[test]
    fn nobody_gets_anothers_home() {
        let said = taken(vec![home("BOBS", 3, others())], false);
        assert!(said.contains("belongs to bob"), "{said}");
    }

    #[test]
    fn over_the_network_only_what_is_known_is_taken() {
        let said = taken(vec![home("NEW", 1, Owner::Nobody)], true);
        assert!(said.contains("log in at the computer itself"), "{said}");
        assert_eq!(taken(vec![home("OWN", 1, Owner::Me)], true), "OWN");
    }

    #[test]
    fn a_stick_without_a_home_brings_the_way_to_make_one() {
        let said = taken(vec![found("PHOTOS", Content::None, Owner::Nobody)], false);
        assert!(said.contains("no home on the stick PHOTOS"), "{said}");
        assert!(said.contains("folder called pershome"), "{said}");
        assert!(taken(Vec::new(), false).contains("No stick"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let busy = found("S", Content::Busy(PathBuf::from("/mnt")), Owner::Nobody);
        assert!(taken(vec![busy], false).contains("mounted at /mnt"));
        let path = PathBuf::from("/media/ann/\x1b[2JMy \u{202e}stick");
        let labelled = found("S", Content::Busy(path), Owner::Nobody);
        assert!(taken(vec![labelled], false).contains("mounted at /media/ann/2JMy stick."));
        let broken = found("S", Content::Unusable("it smells".into()), Owner::Nobody);
        assert!(taken(vec![broken], false).contains("it smells"));
    }
}
