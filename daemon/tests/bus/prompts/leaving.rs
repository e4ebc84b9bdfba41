//! Callers who leave, before the prompt, during it and after it.

use std::time::Instant;

use wendy_dbus::{Error, Result};
use zbus::{Connection, fdo::PeerProxy};

use super::{Prompted, next, preparation, prepare};
use crate::{
    agent::Event,
    double::{ControlProxy, SLOW, STICK},
    policy::{ALLOW, POLICIES},
    system::{NOBODY, PATIENCE, System},
};

#[tokio::test]
async fn a_caller_who_leaves_takes_the_prompt_along() {
    let mut prompted = Prompted::new().await;
    prompted.call.abort();
    prompted.caller.clone().close().await.unwrap();
    assert!(matches!(next(&mut prompted.events).await, Event::Withdrawn));
    // The daemon lives, and nothing was done.
    assert_eq!(prompted.calls().await, [""; 0]);
    let other = prompted.system.connect(NOBODY).await;
    let error = prepare_without_prompt(&other).await.unwrap_err();
    assert!(
        matches!(error, Error::NotAuthorizedCanObtain(_)),
        "{error:?}"
    );
}

async fn prepare_without_prompt(caller: &Connection) -> Result<()> {
    let to = (
        Some("org.ubuntu.Wendy"),
        "/org/ubuntu/Wendy",
        Some("org.ubuntu.Wendy"),
    );
    let body = preparation("Quiet");
    let reply = caller
        .call_method(to.0, to.1, to.2, "PrepareDevice", &body)
        .await;
    reply.map(|_| ()).map_err(Error::from)
}

#[tokio::test]
async fn a_caller_who_leaves_at_once_gets_nothing_done_that_others_cannot_see() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let root = system.connect(0).await;
        for _ in 0..20 {
            call_and_leave(&system.connect(NOBODY).await).await;
        }
        PeerProxy::new(&root, "org.ubuntu.Wendy", "/")
            .await
            .unwrap()
            .ping()
            .await
            .unwrap();
        // All calls were answered before this one: the daemon reads them in turn.
        let control = ControlProxy::new(&root).await.unwrap();
        let mut calls = control.calls().await.unwrap();
        assert!(policy.refusal.is_none() || calls.is_empty(), "{calls:?}");
        calls.dedup();
        let own = format!("prepare {STICK} \"Gone\" by {NOBODY}");
        assert!(calls.is_empty() || calls == [own], "{calls:?}");
    }
}

async fn call_and_leave(caller: &Connection) {
    let message = zbus::Message::method_call("/org/ubuntu/Wendy", "PrepareDevice")
        .destination("org.ubuntu.Wendy")
        .interface("org.ubuntu.Wendy")
        .build(&preparation("Gone"))
        .unwrap();
    caller.send(&message).await.unwrap();
    caller.clone().close().await.unwrap();
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_job_has_begun_gets_none() {
    let system = System::start(ALLOW).await;
    let (root, caller) = (system.connect(0).await, system.connect(NOBODY).await);
    let control = ControlProxy::new(&root).await.unwrap();
    let call = tokio::spawn(prepare(caller.clone(), SLOW));
    let asked = format!("prepare {STICK} {SLOW:?} by {NOBODY}");
    wait_for_calls(&control, std::slice::from_ref(&asked)).await;
    call.abort();
    caller.close().await.unwrap();
    wait_for_calls(&control, &[asked, "left".to_owned()]).await;
    // The stick is free: whoever asks next has it.
    let next = system.connect(NOBODY).await;
    prepare(next, "Next").await.unwrap();
}

async fn wait_for_calls(control: &ControlProxy<'_>, expected: &[String]) {
    let deadline = Instant::now() + PATIENCE;
    while control.calls().await.unwrap() != expected {
        assert!(Instant::now() < deadline, "{expected:?}");
        tokio::task::yield_now().await;
    }
}
