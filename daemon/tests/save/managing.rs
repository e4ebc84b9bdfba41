//! Sessions are renamed, chosen, deleted and checked, and strangers on the medium stay.

use std::fs;

use wendy_store::SessionId;
use wendyd::{
    engine::{
        Error, Unwatched,
        manage::{self, Verdict},
    },
    stores::{Saved, links},
};

use crate::{common::*, scene::*};

#[test]
fn sessions_are_renamed_chosen_and_deleted() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One").session;
    let two = scene.saved("Two").session;
    let store = scene.store();
    let default = || links::default_session(store.root()).unwrap();
    assert_eq!(default(), Some(one));
    manage::set_default(&store, two).unwrap();
    assert_eq!(default(), Some(two));
    manage::rename_session(&store, two, "Second").unwrap();
    assert!(matches!(
        manage::rename_session(&store, two, "One"),
        Err(Error::NameTaken(_))
    ));
    manage::rename_store(&store, "The blue one").unwrap();
    manage::delete_session(&store, two, None, &Unwatched::default()).unwrap();
    assert_eq!(default(), Some(one));
    manage::delete_session(&store, one, None, &Unwatched::default()).unwrap();
    assert_eq!(default(), None);
    assert!(
        stock_upper(&store).is_none() && followed(&path_of(&store.root()).join("upper")).is_dir()
    );
    assert!(Saved::read(store.root()).unwrap().sessions.is_empty());
    drop(store);
    assert_eq!(scene.store().record().name.as_str(), "The blue one");
    check_filesystem(scene.partition.node());
}

#[test]
fn damage_is_found_and_named() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One").session;
    scene.saved("Two");
    let store = scene.store();
    fs::write(
        scene.generation(&store, one).join("upper/etc/hostname"),
        "eve\n",
    )
    .unwrap();
    let checked = manage::check(&store, Some(one), &Unwatched::default()).unwrap();
    assert_eq!(
        (checked.len(), checked[0].verdict, checked[0].damaged),
        (1, Verdict::Damaged, 1)
    );
    let all = manage::check(&store, None, &Unwatched::default()).unwrap();
    assert_eq!(
        all.iter()
            .filter(|one| one.verdict == Verdict::Complete)
            .count(),
        1
    );
    fs::remove_file(scene.generation(&store, one).join("manifest")).unwrap();
    let checked = manage::check(&store, Some(one), &Unwatched::default()).unwrap();
    assert_eq!(checked[0].verdict, Verdict::Damaged);
}

#[test]
fn leftovers_are_removed_and_strangers_stay() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One").session;
    let store = scene.store();
    let sessions = path_of(&store.root()).join("casper/sessions");
    let unfinished = sessions.join(SessionId::random().to_string());
    let deleted = sessions.join(format!(".deleted-{}", SessionId::random()));
    let generation = sessions.join(format!("{one}/generations/7"));
    let strange = [
        sessions.join("notes"),
        sessions.join(format!("{one}/generations/old")),
    ];
    for dir in [&unfinished, &deleted, &generation, &strange[0], &strange[1]] {
        fs::create_dir_all(dir.join("upper/deep")).unwrap();
    }
    scene.live.save(&store, &named("Two")).unwrap();
    assert!(!unfinished.exists() && !deleted.exists() && !generation.exists());
    assert!(strange.iter().all(|path| path.exists()));
}

#[test]
fn unknown_keys_survive() {
    let Some(scene) = Scene::new() else { return };
    let one = scene.saved("One");
    let store = scene.store();
    let record = path_of(&store.root()).join(format!("casper/sessions/{}/.info", one.session));
    fs::write(
        &record,
        fs::read_to_string(&record).unwrap() + "mood=blue\n",
    )
    .unwrap();
    manage::rename_session(&store, one.session, "Another").unwrap();
    let text = fs::read_to_string(&record).unwrap();
    assert!(
        text.contains("mood=blue") && text.contains("name=Another"),
        "{text}"
    );
}
