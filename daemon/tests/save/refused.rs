//! What cannot be saved, and media that say what they should not, are refused by name.

use std::{fs, os::fd::AsFd};

use wendy_store::{Generation, SessionId};
use wendy_sys::mount;
use wendyd::{
    engine::{Error, manage, save::SaveRequest},
    stores::{OpenStore, Saved, links, records, sessions},
};

use crate::{common::*, scene::*};

#[test]
fn what_cannot_be_saved_is_refused_by_name() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    assert!(matches!(
        scene.save(&named("One")),
        Err(Error::NameTaken(_))
    ));
    for name in ["", "a\nb", "\u{1b}[2J", " a", &"x".repeat(300)] {
        assert!(
            matches!(scene.save(&named(name)), Err(Error::BadName(_))),
            "{name:?}"
        );
    }
    let unknown = SaveRequest {
        session: Some(SessionId::random()),
        ..named("")
    };
    assert!(matches!(scene.save(&unknown), Err(Error::NotFound(_))));
    let pattern = SaveRequest {
        exclude: vec!["everything".to_owned()],
        ..named("Two")
    };
    assert!(matches!(
        scene.save(&pattern),
        Err(Error::BadExclude { .. })
    ));
    let other = Live {
        base: image(b"another"),
        ..Live::new()
    };
    assert!(matches!(
        other.save(&scene.store(), &update_of(&one)),
        Err(Error::OtherBase(_))
    ));
}

#[test]
fn damaged_and_newer_records_are_refused_by_name() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    let store = scene.store();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}/.info", one.session));
    let good = fs::read_to_string(&session).unwrap();
    fs::write(&session, good.replace("format=1", "format=2\nmood=blue")).unwrap();
    let newer = scene.live.save(&store, &update_of(&one));
    assert!(
        matches!(newer, Err(Error::NewerFormat { format: 2, .. })),
        "{newer:?}"
    );
    for damage in [
        "name=\u{7}\n",
        "nonsense",
        "",
        &good.replace("stack=", "stick="),
    ] {
        fs::write(&session, damage).unwrap();
        assert!(
            matches!(
                scene.live.save(&store, &update_of(&one)),
                Err(Error::Corrupt { .. })
            ),
            "{damage:?}"
        );
    }
    // A damaged neighbour keeps nobody from saving.
    scene.live.save(&store, &named("Two")).unwrap();
}

#[test]
fn a_store_of_a_newer_format_is_only_read() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    let store = scene.store();
    let marker = path_of(&store.root()).join("casper/.info");
    fs::write(
        &marker,
        fs::read_to_string(&marker)
            .unwrap()
            .replace("format=1", "format=9"),
    )
    .unwrap();
    drop(store);
    assert!(matches!(
        scene.save(&named("Two")),
        Err(Error::NewerFormat { format: 9, .. })
    ));
    let store = scene.store();
    assert!(matches!(
        manage::rename_store(&store, "x"),
        Err(Error::NewerFormat { .. })
    ));
    assert!(matches!(
        manage::set_default(&store, one.session),
        Err(Error::NewerFormat { .. })
    ));
    assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    fs::write(path_of(&store.root()).join("casper/.info"), "format=1\n").unwrap();
    drop(store);
    let refused = OpenStore::open(location(scene.partition.node(), "ext4"));
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
}

#[test]
fn links_that_lead_elsewhere_are_not_followed() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    let store = scene.store();
    let outside = tempfile::tempdir().unwrap();
    let session = path_of(&store.root()).join(format!("casper/sessions/{}", one.session));
    fs::rename(session.join("generations"), session.join("moved")).unwrap();
    std::os::unix::fs::symlink(outside.path(), session.join("generations")).unwrap();
    let saved = Saved::read(store.root()).unwrap();
    assert!(saved.sessions.is_empty() && saved.damaged.len() == 1);
    assert!(matches!(
        scene.live.save(&store, &update_of(&one)),
        Err(Error::Corrupt { .. })
    ));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn one_writer_at_a_time() {
    let Some(scene) = Scene::new() else { return };
    let _store = scene.store();
    let second = OpenStore::open(location(scene.partition.node(), "ext4"));
    assert!(matches!(second, Err(Error::Busy(_))));
}

#[test]
fn too_little_room_is_said_before_the_first_byte() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    let store = scene.store();
    let free = mount::space(store.root()).unwrap().available;
    let ballast = scene.live.upper().join("ballast");
    fs::write(&ballast, vec![1; usize::try_from(free).unwrap()]).unwrap();
    let refused = scene.live.save(&store, &named("Two"));
    let Err(Error::NoSpace { have, need, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(need > have);
    assert_eq!(Saved::read(store.root()).unwrap().sessions.len(), 1);
    assert_eq!(records_of(&store, one.session), Some(Generation::FIRST));
}

fn records_of(store: &OpenStore, session: SessionId) -> Option<Generation> {
    let dir = sessions::open(store.root(), session).unwrap();
    records::read_session(AsFd::as_fd(&dir), "a session").unwrap();
    links::current(AsFd::as_fd(&dir)).unwrap()
}
