//! Nothing is destroyed without the token of the very plan that told what would be lost.

use wendyd::{
    jobs::{Fact, FailureKind, ObjectId},
    model::{Device, StoreKey},
    operations::PrepareRequest,
};

use crate::{common::*, scene::*};

#[test]
fn a_blank_stick_needs_no_consent() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::new(SIZE));
    let (plan, token) = scene.plan(&caller(":1.7"));
    assert_eq!(
        (plan.get("destroys"), token.as_str()),
        (Some(&Fact::Flag(false)), "")
    );
    let facts = scene
        .prepare(&caller(":1.7"), whole("My stick", ""))
        .unwrap();
    let key = StoreKey::new(scene.stick.store().record().id);
    assert_eq!(
        facts.get("store"),
        Some(&Fact::Object(Some(ObjectId::Store(key))))
    );
}

#[test]
fn what_would_be_lost_needs_the_token_of_that_very_plan() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let before = scene.stick.store().record().id;
    let (me, other) = (caller(":1.7"), caller(":1.8"));
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", ""))),
        FailureKind::NeedsToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", "0123"))),
        FailureKind::StaleToken
    );
    let (plan, token) = scene.plan(&me);
    assert_eq!(plan.get("destroys"), Some(&Fact::Flag(true)));
    assert_eq!(
        kind(scene.prepare(&other, whole("My stick", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("Another name", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", &token))),
        FailureKind::StaleToken
    );
    assert_eq!(scene.stick.store().record().id, before);
    let (_, token) = scene.plan(&me);
    scene.prepare(&me, whole("My stick", &token)).unwrap();
    assert_ne!(scene.stick.store().record().id, before);
    assert_eq!(
        kind(scene.prepare(&me, whole("My stick", &token))),
        FailureKind::StaleToken
    );
}

#[test]
fn a_stick_swapped_after_the_plan_stays_untouched() {
    if !is_root() {
        return;
    }
    let mut scene = Scene::new(Stick::new(SIZE));
    let other = Stick::formatted(SIZE, "ext4");
    let before = std::fs::read(other.image()).unwrap();
    // The world still shows the old one under the node that is now another's.
    let node = other.node().display().to_string();
    scene
        .hub
        .update(|world| world.devices.get_mut(&scene.id).unwrap().node = node);
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", ""))),
        FailureKind::DeviceChanged
    );
    scene.id.diskseq += 1000;
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", ""))),
        FailureKind::NotFound
    );
    assert!(std::fs::read(other.image()).unwrap() == before);
}

#[test]
fn no_option_bypasses_a_refusal() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let (_, token) = scene.plan(&caller(":1.7"));
    let with = |change: fn(&mut Device)| {
        let mut changed = (*scene.world()).clone();
        change(changed.devices.get_mut(&scene.id).unwrap());
        let good = scene.world();
        scene.hub.update(|world| *world = changed);
        let refused = scene.prepare(&caller(":1.7"), whole("My stick", &token));
        scene.hub.update(|world| *world = (*good).clone());
        kind(refused)
    };
    assert_eq!(
        with(|device| device.boot_medium = true),
        FailureKind::DeviceBusy
    );
    assert_eq!(with(|device| device.system = true), FailureKind::DeviceBusy);
    assert_eq!(
        with(|device| device.in_use_by = vec!["swap".to_owned()]),
        FailureKind::DeviceBusy
    );
    let words = PrepareRequest {
        mode: Some("force".to_owned()),
        ..whole("My stick", &token)
    };
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), words)),
        FailureKind::NotSupported
    );
}

#[test]
fn plans_are_cheap_to_ask_for_and_few_are_kept() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let (_, first) = scene.plan(&caller(":1.7"));
    for _ in 0..wendyd::engine::PER_CALLER {
        scene.plan(&caller(":1.7"));
    }
    assert_eq!(
        kind(scene.prepare(&caller(":1.7"), whole("My stick", &first))),
        FailureKind::StaleToken
    );
}

#[test]
fn nothing_is_begun_for_who_has_left() {
    if !is_root() {
        return;
    }
    let scene = Scene::new(Stick::prepared(SIZE));
    let before = scene.stick.store().record().id;
    let me = caller(":1.7");
    let (_, token) = scene.plan(&me);
    me.left.cancel();
    let refused = scene.prepare(&me, whole("My stick", &token));
    assert_eq!(kind(refused), FailureKind::Cancelled);
    assert!(!scene.jobs.any_active());
    assert_eq!(scene.stick.store().record().id, before);
}
