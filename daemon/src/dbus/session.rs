//! `org.ubuntu.Wendy.Session`.

use std::sync::Arc;

use wendy_dbus::{
    Dict, Result,
    options::{NoOptions, parse},
};
use zbus::{OwnedObjectPath, interface, message::Header};

use super::{
    about::About,
    context::Context,
    paths,
    shelf::{Object, Shown},
};
use crate::model::{Session, SessionKey};

/// A saved session on the bus.
pub(super) struct SessionObject {
    key: SessionKey,
    shown: Shown<Session>,
    context: Arc<Context>,
}

impl Object for SessionObject {
    type Key = SessionKey;
    type View = Session;

    fn path(key: SessionKey) -> OwnedObjectPath {
        paths::session(key)
    }

    fn new(key: SessionKey, shown: Shown<Session>, context: Arc<Context>) -> SessionObject {
        SessionObject {
            key,
            shown,
            context,
        }
    }
}

impl SessionObject {
    fn about(&self) -> About {
        About::session(self.key)
    }
}

#[interface(name = "org.ubuntu.Wendy.Session", introspection_docs = false)]
impl SessionObject {
    async fn rename(&self, name: String, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let session = self.key;
        let visit = self
            .context
            .admit(&header, self.about().named(&name))
            .await?;
        self.context
            .run(visit, move |engine, by| {
                engine.rename_session(by, session, &name)
            })
            .await
    }

    #[zbus(out_args("job"))]
    async fn delete(
        &self,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        parse::<NoOptions>(&options)?;
        let session = self.key;
        let visit = self.context.admit(&header, self.about()).await?;
        self.context
            .run_job(visit, move |engine, by| engine.delete_session(by, session))
            .await
    }

    #[zbus(property)]
    fn name(&self) -> String {
        self.shown.get().name.clone()
    }

    #[zbus(property)]
    fn stack(&self) -> &'static str {
        self.shown.get().stack.as_str()
    }

    #[zbus(property)]
    fn upper_kind(&self) -> &'static str {
        self.shown.get().upper_kind.as_str()
    }

    #[zbus(property)]
    fn base_image(&self) -> String {
        self.shown.get().base_image.clone()
    }

    #[zbus(property)]
    fn compatible(&self) -> bool {
        self.shown.get().compatible
    }

    #[zbus(property)]
    fn created(&self) -> i64 {
        self.shown.get().created
    }

    #[zbus(property)]
    fn saved(&self) -> i64 {
        self.shown.get().saved
    }

    #[zbus(property)]
    fn generation(&self) -> u32 {
        self.shown.get().generation
    }

    #[zbus(property)]
    fn size(&self) -> u64 {
        self.shown.get().size
    }

    #[zbus(property)]
    fn files(&self) -> u64 {
        self.shown.get().files
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.shown.get().state.as_str()
    }

    #[zbus(property)]
    fn saved_from_this_start(&self) -> bool {
        self.shown.get().saved_from_this_start
    }

    #[zbus(property)]
    fn kernel(&self) -> String {
        self.shown.get().kernel.clone()
    }

    #[zbus(property)]
    fn kernel_parameters(&self) -> String {
        self.shown.get().kernel_parameters.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn store(&self) -> OwnedObjectPath {
        paths::store(self.shown.get().store)
    }
}
