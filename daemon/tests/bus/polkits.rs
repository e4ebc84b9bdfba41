//! polkits that are absent, silent or talk nonsense; and what a truthful one is asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use wendy_dbus::{Error, Result, options::SaveOptions, paths::StorePath, proxies::WendyProxy};
use zbus::{Connection, OwnedObjectPath, OwnedVariant, connection::Builder, interface};

use crate::{
    authorization::call_everything,
    double::STORE,
    system::{NOBODY, System},
};

type Subject = (String, HashMap<String, OwnedVariant>);
type Asked = Arc<Mutex<Vec<(Subject, String)>>>;

/// How a made-up polkit answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Yes,
    Silent,
    Nonsense,
}

struct MadeUp {
    manner: Manner,
    asked: Asked,
}

/// The methods libpolkit calls. The answer is a variant-typed mess on purpose when it is nonsense.
#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl MadeUp {
    async fn check_authorization(
        &self,
        subject: Subject,
        action: String,
        _details: HashMap<String, String>,
        _flags: u32,
        _cancellation: String,
    ) -> zbus::fdo::Result<((bool, bool, HashMap<String, String>),)> {
        self.asked.lock().unwrap().push((subject, action));
        match self.manner {
            Manner::Yes => Ok(((true, false, HashMap::new()),)),
            Manner::Silent => std::future::pending().await,
            Manner::Nonsense => Err(zbus::fdo::Error::Failed("fnord".to_owned())),
        }
    }

    fn cancel_check_authorization(&self, _cancellation: String) {}

    #[zbus(property)]
    fn backend_name(&self) -> &'static str {
        "made up"
    }
}

/// Answers with values of other types than promised.
struct Garbled;

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Garbled {
    fn check_authorization(
        &self,
        _subject: Subject,
        _action: String,
        _details: HashMap<String, String>,
        _flags: u32,
        _cancellation: String,
    ) -> (String, u64) {
        ("yes".to_owned(), 1)
    }
}

async fn system_with(manner: Manner) -> (System, Connection, Asked) {
    let asked = Asked::default();
    let made_up = MadeUp {
        manner,
        asked: asked.clone(),
    };
    let (system, polkit) = system_serving(made_up).await;
    (system, polkit, asked)
}

async fn system_serving(polkit: impl zbus::object_server::Interface) -> (System, Connection) {
    let mut system = System::without_polkit().await;
    let polkit = Builder::address(system.address().as_str())
        .serve_at("/org/freedesktop/PolicyKit1/Authority", polkit)
        .name("org.freedesktop.PolicyKit1")
        .build()
        .await
        .unwrap();
    system.start_daemon().await;
    (system, polkit)
}

async fn save(caller: &Connection) -> Result<OwnedObjectPath> {
    let store = StorePath(STORE.0).to_path();
    let wendy = WendyProxy::new(caller).await?;
    wendy
        .save_session(&store, "A name", &SaveOptions::default())
        .await
}

/// Root may act and nobody else may.
async fn root_alone_may_act(system: &System) {
    let error = save(&system.connect(NOBODY).await).await.unwrap_err();
    assert!(matches!(error, Error::NotAuthorized(_)), "{error:?}");
    save(&system.connect(0).await).await.unwrap();
}

#[tokio::test]
async fn without_polkit_root_alone_may_act() {
    let mut system = System::without_polkit().await;
    system.start_daemon().await;
    root_alone_may_act(&system).await;
}

#[tokio::test]
async fn when_polkit_fails_root_alone_may_act() {
    let (system, _polkit, _) = system_with(Manner::Nonsense).await;
    root_alone_may_act(&system).await;
}

#[tokio::test]
async fn when_polkit_answers_nonsense_root_alone_may_act() {
    let (system, _polkit) = system_serving(Garbled).await;
    root_alone_may_act(&system).await;
}

#[tokio::test]
async fn a_silent_polkit_holds_up_nobody_who_only_reads() {
    let (system, _polkit, asked) = system_with(Manner::Silent).await;
    let nobody = system.connect(NOBODY).await;
    let waiting = tokio::spawn({
        let nobody = nobody.clone();
        async move { save(&nobody).await }
    });
    while asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    assert_eq!(
        WendyProxy::new(&nobody)
            .await
            .unwrap()
            .state()
            .await
            .unwrap(),
        "volatile"
    );
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NotAuthorized(_)), "{error:?}");
}

#[tokio::test]
async fn polkit_is_asked_about_the_caller_and_nobody_else() {
    let (system, _polkit, asked) = system_with(Manner::Yes).await;
    for uid in [NOBODY, 1, 0] {
        let caller = system.connect(uid).await;
        let _ = save(&caller).await;
        let (subject, action) = asked.lock().unwrap().pop().unwrap();
        assert_eq!(subject.0, "system-bus-name");
        let name: String = subject.1["name"].clone().try_into().unwrap();
        assert_eq!(name, caller.unique_name().unwrap().as_str());
        assert_eq!(action, "org.ubuntu.wendy.save-session");
    }
}

/// Of every method of the contract, and never about the daemon itself.
#[tokio::test]
async fn every_question_to_polkit_is_about_a_caller() {
    let (system, polkit, asked) = system_with(Manner::Yes).await;
    let answers = call_everything(&system).await;
    let bus = zbus::fdo::DBusProxy::new(&polkit).await.unwrap();
    let wendy = bus.get_name_owner("org.ubuntu.Wendy".try_into().unwrap());
    let wendy = wendy.await.unwrap();
    let asked = asked.lock().unwrap();
    assert!(
        asked.len() >= answers.len() - 1,
        "{} questions",
        asked.len()
    );
    for (subject, action) in asked.iter() {
        assert_eq!(subject.0, "system-bus-name", "{action}");
        let name: String = subject.1["name"].clone().try_into().unwrap();
        assert!(name.starts_with(':') && name != wendy.as_str(), "{action}");
    }
}

#[tokio::test]
async fn the_shipped_policy_has_the_actions_and_defaults_of_the_contract() {
    let system = System::start("").await;
    let root = system.connect(0).await;
    let reply = root
        .call_method(
            Some("org.freedesktop.PolicyKit1"),
            "/org/freedesktop/PolicyKit1/Authority",
            Some("org.freedesktop.PolicyKit1.Authority"),
            "EnumerateActions",
            &"C",
        )
        .await
        .unwrap();
    type Description = (
        String,
        String,
        String,
        String,
        String,
        String,
        u32,
        u32,
        u32,
        HashMap<String, String>,
    );
    let actions: Vec<Description> = reply.body().deserialize().unwrap();
    let mut found: Vec<_> = actions
        .iter()
        .map(|a| (a.0.as_str(), a.6, a.7, a.8))
        .collect();
    found.sort_unstable();
    // PolkitImplicitAuthorization of libpolkit.
    let (no, admin, keep, yes) = (0, 2, 4, 5);
    let expected = [
        ("org.ubuntu.wendy.manage-others", no, no, admin),
        ("org.ubuntu.wendy.manage-store", no, no, yes),
        ("org.ubuntu.wendy.prepare-device", no, no, yes),
        ("org.ubuntu.wendy.prepare-device-system", no, no, admin),
        ("org.ubuntu.wendy.save-session", no, no, yes),
        ("org.ubuntu.wendy.snapshot", no, no, yes),
        ("org.ubuntu.wendy.snapshot-export", no, no, admin),
        ("org.ubuntu.wendy.switch-upper-layer", no, no, keep),
        ("org.ubuntu.wendy.unlock-store", no, no, yes),
    ];
    assert_eq!(found, expected);
    let ids: std::collections::BTreeSet<_> = wendyd::authority::Action::ALL
        .iter()
        .map(|action| action.id())
        .collect();
    assert_eq!(ids, expected.iter().map(|row| row.0).collect());
}
