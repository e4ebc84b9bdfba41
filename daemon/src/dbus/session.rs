//! `org.ubuntu.Wendy.Session`.

use wendy_dbus::{
    Dict, Result,
    options::{NoOptions, parse},
    words::Word,
};
use zbus::{OwnedObjectPath, interface, message::Header};

use super::{
    about::About,
    paths,
    shelf::{Object, Shelved},
};
use crate::model::{Session, SessionKey};

/// A saved session on the bus.
pub(super) struct SessionObject(Shelved<SessionKey, Session>);

impl Object for SessionObject {
    type Key = SessionKey;
    type View = Session;

    fn path(key: SessionKey) -> OwnedObjectPath {
        paths::session(key)
    }

    fn new(shelved: Shelved<SessionKey, Session>) -> SessionObject {
        SessionObject(shelved)
    }
}

impl SessionObject {
    fn about(&self) -> About {
        About::session(self.0.key)
    }
}

#[interface(name = "org.ubuntu.Wendy.Session", introspection_docs = false)]
impl SessionObject {
    async fn rename(&self, name: String, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let session = self.0.key;
        let visit = self
            .0
            .context
            .admit(&header, self.about().named(&name))
            .await?;
        self.0
            .context
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
        let session = self.0.key;
        let visit = self.0.context.admit(&header, self.about()).await?;
        self.0
            .context
            .run_job(visit, move |engine, by| engine.delete_session(by, session))
            .await
    }

    #[zbus(property)]
    fn name(&self) -> String {
        self.0.get().name.clone()
    }

    #[zbus(property)]
    fn stack(&self) -> &'static str {
        self.0.get().stack.as_str()
    }

    #[zbus(property)]
    fn upper_kind(&self) -> &'static str {
        self.0.get().upper_kind.as_str()
    }

    #[zbus(property)]
    fn base_image(&self) -> String {
        self.0.get().base_image.clone()
    }

    #[zbus(property)]
    fn compatible(&self) -> bool {
        self.0.get().compatible
    }

    #[zbus(property)]
    fn created(&self) -> i64 {
        self.0.get().created
    }

    #[zbus(property)]
    fn saved(&self) -> i64 {
        self.0.get().saved
    }

    #[zbus(property)]
    fn generation(&self) -> u32 {
        self.0.get().generation
    }

    #[zbus(property)]
    fn size(&self) -> u64 {
        self.0.get().size
    }

    #[zbus(property)]
    fn files(&self) -> u64 {
        self.0.get().files
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.0.get().state.word()
    }

    #[zbus(property)]
    fn saved_from_this_start(&self) -> bool {
        self.0.get().saved_from_this_start
    }

    #[zbus(property)]
    fn kernel(&self) -> String {
        self.0.get().kernel.clone()
    }

    #[zbus(property)]
    fn kernel_parameters(&self) -> String {
        self.0.get().kernel_parameters.clone()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn store(&self) -> OwnedObjectPath {
        paths::store(self.0.get().store)
    }
}
