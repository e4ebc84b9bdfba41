//! What a prompt is about is pulled out while it is open.

use wendy_dbus::{Error, options::NoOptions, paths::SessionPath, proxies::SessionProxy};

use super::{Prompted, prepare};
use crate::{
    double::{ControlProxy, SESSION},
    policy::POLICIES,
    system::{NOBODY, System},
};

#[tokio::test]
async fn a_session_that_vanishes_during_the_prompt_is_gone_after_it() {
    let prompted = Prompted::asking(async |caller| {
        let session = SessionProxy::builder(&caller)
            .path(SessionPath(SESSION.0).to_path())
            .build()
            .await?;
        session.delete(&NoOptions {}).await
    })
    .await;
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    control.unplug().await.unwrap();
    prompted.prompt.confirm(&prompted.root).await;
    let error = prompted.call.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    assert_eq!(control.calls().await.unwrap(), [""; 0]);
}

/// Where no prompt comes up, what is gone is not found, whoever asks.
#[tokio::test]
async fn what_was_pulled_is_not_found_under_any_policy() {
    for policy in POLICIES {
        let system = System::start(policy.rules).await;
        let (root, nobody) = (system.connect(0).await, system.connect(NOBODY).await);
        let control = ControlProxy::new(&root).await.unwrap();
        control.unplug().await.unwrap();
        for caller in [root, nobody] {
            let error = prepare(caller, "Gone").await.unwrap_err();
            assert!(matches!(error, Error::NotFound(_)), "{error:?}");
        }
        assert_eq!(control.calls().await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_stick_pulled_during_the_prompt_is_gone_after_it() {
    let prompted = Prompted::new().await;
    ControlProxy::new(&prompted.root)
        .await
        .unwrap()
        .unplug()
        .await
        .unwrap();
    prompted.prompt.confirm(&prompted.root).await;
    let error = prompted.call.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Gone(_)), "{error:?}");
    let control = ControlProxy::new(&prompted.root).await.unwrap();
    assert_eq!(control.calls().await.unwrap(), [""; 0]);
}
