//! Records of sessions and of stores that are damaged, or newer than this daemon.

use std::fs;

use wendy_dbus::options::SaveOptions;
use wendyd::stores::Saved;

use crate::{
    calls::{fails, save, update_of},
    common::{mounted, path_of},
    living::Living,
    policy::ALLOW,
};

/// The marker of a store.
const MARKER: &str = "casper/.info";

/// What is wrong with a record that is damaged.
const DAMAGES: [&str; 3] = ["format=one", "nonsense", "name=\u{7}"];

#[tokio::test]
async fn a_session_of_a_newer_format() {
    let (mut living, session) = Living::with_session().await;
    let record = record(&living);
    rewrite(&living, &record, |good| {
        good.replace("format=1", "format=9")
    });
    living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    let error = save(&root, &living.store, "", update_of(&session)).await;
    assert_eq!(error, "Incompatible");
    let args = ["save", "--session", "One", "--store", living.place()];
    fails(living.system.wendyctl(&args), 11, "use a newer wendy");
}

#[tokio::test]
async fn a_store_of_a_newer_format() {
    let (mut living, _) = Living::with_session().await;
    rewrite(&living, MARKER, |good| good.replace("format=1", "format=9"));
    living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    let error = save(&root, &living.store, "Two", SaveOptions::default()).await;
    assert_eq!(error, "Incompatible");
    let args = ["save", "Two", "--store", living.place()];
    fails(living.system.wendyctl(&args), 11, "use a newer wendy");
}

#[tokio::test]
async fn a_damaged_session_is_told_and_keeps_nobody_from_saving() {
    let (mut living, session) = Living::with_session().await;
    let record = record(&living);
    for damage in DAMAGES {
        let good = rewrite(&living, &record, |good| good.replace("format=1", damage));
        living = living.restart_on(ALLOW, "one").await;
        let root = living.system.connect(0).await;
        let error = save(&root, &living.store, "", update_of(&session)).await;
        assert_eq!(
            error, "NotFound",
            "{damage}: what cannot be read is not shown"
        );
        let args = ["verify", living.place()];
        fails(
            living.system.wendyctl(&args),
            12,
            "differs from what was saved",
        );
        assert_eq!(
            save(
                &root,
                &living.store,
                damage.trim_end_matches('\u{7}'),
                SaveOptions::default()
            )
            .await,
            ""
        );
        rewrite(&living, &record, |_| good.clone());
    }
}

#[tokio::test]
async fn a_damaged_store() {
    let (mut living, _) = Living::with_session().await;
    for damage in DAMAGES {
        let good = rewrite(&living, MARKER, |good| good.replace("format=1", damage));
        living = living.restart_on(ALLOW, "one").await;
        let root = living.system.connect(0).await;
        let error = save(&root, &living.store, "Two", SaveOptions::default()).await;
        assert_eq!(error, "Corrupt", "{damage}");
        let args = ["save", "Two", "--store", living.place()];
        fails(living.system.wendyctl(&args), 12, "is damaged");
        rewrite(&living, MARKER, |_| good.clone());
    }
    let living = living.restart_on(ALLOW, "one").await;
    let root = living.system.connect(0).await;
    assert_eq!(
        save(&root, &living.store, "Two", SaveOptions::default()).await,
        ""
    );
}

/// The path of the record of the only session.
fn record(living: &Living) -> String {
    let store = living.partition.store();
    let saved = Saved::read(store.root()).unwrap();
    format!("casper/sessions/{}/.info", saved.sessions[0].record.id)
}

/// Changes a file of the store behind the daemon's back; what it held before.
fn rewrite(living: &Living, file: &str, change: impl Fn(&str) -> String) -> String {
    let mount = mounted(living.partition.node(), "ext4");
    let path = path_of(&mount).join(file);
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, change(&before)).unwrap();
    before
}
