//! A session from its first save to its end, and what is refused on the way.

use wendy_store::{
    Consistency, Generation, GenerationFacts, GenerationRecord, SessionId, UpperKind,
};
use wendyd::{
    engine::{Error, OwnSaves, save::Ledger},
    jobs::{Fact, Facts, Failure, FailureKind, ObjectId},
    model::{Hub, OwnSave, SessionKey, SessionState, StoreKey},
    operations::{Operations, SaveRequest},
};

use crate::{common::*, scene::*};

#[test]
fn a_session_goes_its_whole_way() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    let plan = scene
        .engine
        .plan_save(&caller(":1.7"), store, session("Biofuel report"))
        .unwrap();
    assert_eq!(plan.get("fits"), Some(&Fact::Flag(true)));
    assert!(number(&plan, "seconds") > 0);
    let facts = scene.save(store, session("Biofuel report")).unwrap();
    assert!(number(&facts, "entries") > 40 && number(&facts, "written-bytes") > 0);
    assert_eq!(
        facts.get("kernel-parameters"),
        Some(&Fact::Text("persistence".to_owned()))
    );
    let key = &session_of(&facts);
    let shown = scene.world().sessions[key].clone();
    assert_eq!(
        (shown.name.as_str(), shown.generation),
        ("Biofuel report", 1)
    );
    assert_eq!(
        (shown.state, shown.upper_kind),
        (SessionState::Complete, UpperKind::Overlayfs)
    );
    assert_eq!(scene.world().stores[&store].default_session, Some(*key));
    scene.live.write("etc/hostname", "bob\n");
    let update = SaveRequest {
        session: Some(*key),
        ..session("")
    };
    let facts = scene.save(store, update).unwrap();
    assert_eq!(facts.get("generation"), Some(&Fact::Small(2)));
    scene
        .engine
        .rename_session(&caller(":1.7"), *key, "Fuel")
        .unwrap();
    scene
        .engine
        .rename_store(&caller(":1.7"), store, "The blue one")
        .unwrap();
    assert_eq!(scene.world().sessions[key].name, "Fuel");
    assert_eq!(scene.world().stores[&store].name, "The blue one");
    let checked = scene
        .done(
            scene
                .engine
                .check_store(&caller(":1.7"), store, None)
                .unwrap(),
        )
        .unwrap();
    assert_eq!(number(&checked, "damaged"), 0);
    scene
        .done(scene.engine.delete_session(&caller(":1.7"), *key).unwrap())
        .unwrap();
    assert!(scene.world().sessions.is_empty());
    assert_eq!(scene.world().stores[&store].default_session, None);
}

#[test]
fn what_this_start_saved_is_known_until_another_saves_there() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    let key = session_of(&scene.save(store, session("Biofuel report")).unwrap());
    assert!(scene.world().sessions[&key].saved_from_this_start);
    let [first] = scene.world().own_saves[&key][..] else {
        panic!("{:?}", scene.world().own_saves)
    };
    assert_eq!(first.generation, 1);
    let other = |generation, saved| OwnSave { generation, saved };
    // One that was about to count when the stick was pulled out does not displace it.
    let is_ours = |saves: &[OwnSave]| {
        let saves = vec![(key, saves.to_vec())];
        scene.hub.update(|world| world.own_saves.extend(saves));
        let renamed = scene.engine.rename_session(&caller(":1.7"), key, "Fuel");
        renamed.unwrap();
        scene.world().sessions[&key].saved_from_this_start
    };
    assert!(is_ours(&[first, other(2, first.saved)]));
    assert!(is_ours(&[other(0, first.saved), first]));
    assert!(!is_ours(&[other(1, first.saved - 1)]));
}

fn record(number: u32) -> GenerationRecord {
    let facts = GenerationFacts {
        size: 0,
        files: 0,
        entries: 0,
        kernel: String::new(),
        consistency: Consistency::Settled,
    };
    GenerationRecord::new(Generation::new(number).unwrap(), 9, facts)
}

#[test]
fn a_daemon_that_is_started_anew_knows_what_was_saved() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wendy/saved");
    let session = SessionId::random();
    let (hub, anew) = (Hub::new(), Hub::new());
    let saves = OwnSaves::new(&file, hub.clone());
    saves.note(session, &record(1));
    saves.expect(session, &record(2));
    OwnSaves::new(&file, anew.clone()).recall();
    let known = anew.snapshot().own_saves.clone();
    assert_eq!(known, hub.snapshot().own_saves);
    let expected = [1, 2].map(|number| OwnSave::of(&record(number)));
    assert_eq!(known[&SessionKey::new(session)], expected);
    saves.note(session, &record(2));
    assert_eq!(
        hub.snapshot().own_saves[&SessionKey::new(session)],
        expected[1..]
    );
}

#[test]
fn bad_input_gets_its_named_error() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    scene.save(store, session("One")).unwrap();
    let refused = |request| kind(scene.save(store, request));
    assert_eq!(refused(session("One")), FailureKind::InvalidArgument);
    assert_eq!(refused(session("")), FailureKind::InvalidArgument);
    assert_eq!(
        refused(session(&"x".repeat(300))),
        FailureKind::InvalidArgument
    );
    let at_once = |request| scene.engine.save(&caller(":1.7"), store, request);
    assert!(at_once(session("")).is_err(), "a job that can only fail");
    let unknown = SaveRequest {
        session: Some(SessionKey::new(SessionId::random())),
        ..session("")
    };
    assert_eq!(refused(unknown), FailureKind::NotFound);
    let pattern = SaveRequest {
        exclude: vec!["all".to_owned()],
        ..session("Two")
    };
    assert!(at_once(pattern.clone()).is_err());
    assert_eq!(refused(pattern), FailureKind::InvalidArgument);
    let quiesce = SaveRequest {
        quiesce: Some("sleep".to_owned()),
        ..session("Two")
    };
    assert_eq!(refused(quiesce), FailureKind::NotSupported);
    assert_eq!(
        kind(scene.save(StoreKey::new("nowhere"), session("Two"))),
        FailureKind::NotFound
    );
    let foreign = "casper persistence (casper-rw)".to_owned();
    scene
        .hub
        .update(|world| world.stores.get_mut(&store).unwrap().foreign = foreign);
    assert_eq!(refused(session("Two")), FailureKind::NotSupported);
}

#[test]
fn without_a_live_system_there_is_nothing_to_save() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::with(Stick::prepared(SIZE), |_| None).with_store();
    assert_eq!(
        kind(scene.save(store, session("One"))),
        FailureKind::NotLive
    );
}

#[test]
fn while_nobody_knows_what_the_system_runs_from_no_session_is_deleted() {
    if !is_root() {
        return;
    }
    let (scene, store, _partition) = Scene::new(Stick::prepared(SIZE)).with_store();
    let key = session_of(&scene.save(store, session("One")).unwrap());
    let upper = scene.live.upper();
    std::fs::rename(&upper, upper.with_extension("away")).unwrap();
    let delete = || scene.engine.delete_session(&caller(":1.7"), key).unwrap();
    assert_eq!(kind(scene.done(delete())), FailureKind::Corrupt);
    assert!(scene.world().sessions.contains_key(&key));
    std::fs::rename(upper.with_extension("away"), &upper).unwrap();
    scene.done(delete()).unwrap();
}

#[test]
fn a_failure_names_no_file_of_the_session() {
    let path = wendy_layers::EntryPath::new("home/ann/secret-plan");
    for error in [
        wendy_layers::Error::NoSpace { path: path.clone() },
        wendy_layers::Error::Read {
            path: path.clone(),
            source: wendy_sys::Errno::IO,
        },
        wendy_layers::Error::Write {
            path,
            source: wendy_sys::Errno::IO,
        },
    ] {
        let failure = Failure::from(Error::from(error));
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
}

fn session_of(facts: &Facts) -> SessionKey {
    match facts.get("session") {
        Some(Fact::Object(Some(ObjectId::Session(key)))) => *key,
        other => panic!("{other:?}"),
    }
}
