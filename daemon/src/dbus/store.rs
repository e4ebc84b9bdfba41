//! `org.ubuntu.Wendy.Store`.

use wendy_dbus::{
    Dict, Result,
    options::{CheckOptions, NoOptions, parse},
    words::Word,
};
use zbus::{OwnedFd, OwnedObjectPath, interface, message::Header};

use super::{
    about::{About, not_found},
    context::not_supported,
    paths,
    shelf::{Object, Shelved},
};
use crate::model::{SessionKey, Store, StoreKey, World};

/// A store together with the sessions on it.
#[derive(Debug, PartialEq)]
pub(super) struct StoreView {
    store: Store,
    sessions: Vec<SessionKey>,
}

impl StoreView {
    pub(super) fn new(key: StoreKey, store: &Store, world: &World) -> StoreView {
        let mut sessions: Vec<_> = world.sessions_of(key).collect();
        sessions.sort_by_key(|(key, session)| (session.created, *key));
        let sessions = sessions.into_iter().map(|(key, _)| key).collect();
        StoreView {
            store: store.clone(),
            sessions,
        }
    }
}

/// A store on the bus.
pub(super) struct StoreObject(Shelved<StoreKey, StoreView>);

impl Object for StoreObject {
    type Key = StoreKey;
    type View = StoreView;

    fn path(key: StoreKey) -> OwnedObjectPath {
        paths::store(key)
    }

    fn new(shelved: Shelved<StoreKey, StoreView>) -> StoreObject {
        StoreObject(shelved)
    }
}

impl StoreObject {
    fn about(&self) -> About {
        About::store(self.0.key)
    }

    /// A session that is on this store.
    fn own_session(&self, path: &OwnedObjectPath) -> Result<SessionKey> {
        let key = paths::parse_session(path)?;
        let is_here = self.0.get().sessions.contains(&key);
        if is_here {
            Ok(key)
        } else {
            Err(not_found("session"))
        }
    }
}

#[interface(name = "org.ubuntu.Wendy.Store", introspection_docs = false)]
impl StoreObject {
    async fn set_default(
        &self,
        session: OwnedObjectPath,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let (store, session) = (self.0.key, self.own_session(&session)?);
        let visit = self
            .0
            .context
            .admit(&header, self.about().and_session(Some(session)))
            .await?;
        self.0
            .context
            .run(visit, move |engine, by| {
                engine.set_default(by, store, session)
            })
            .await
    }

    async fn rename(&self, name: String, #[zbus(header)] header: Header<'_>) -> Result<()> {
        let store = self.0.key;
        let visit = self
            .0
            .context
            .admit(&header, self.about().named(&name))
            .await?;
        self.0
            .context
            .run(visit, move |engine, by| {
                engine.rename_store(by, store, &name)
            })
            .await
    }

    async fn unlock(
        &self,
        passphrase: OwnedFd,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        drop(passphrase);
        parse::<NoOptions>(&options)?;
        self.0.context.admit(&header, self.about()).await?;
        not_supported("unlock stores")
    }

    async fn lock(&self, #[zbus(header)] header: Header<'_>) -> Result<()> {
        self.0.context.admit(&header, self.about()).await?;
        not_supported("lock stores")
    }

    #[zbus(out_args("job"))]
    async fn check(
        &self,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        let options: CheckOptions = parse(&options)?;
        let session = options
            .session
            .map(|path| self.own_session(&path))
            .transpose()?;
        let visit = self
            .0
            .context
            .admit(&header, self.about().and_session(session))
            .await?;
        let store = self.0.key;
        self.0
            .context
            .run_job(visit, move |engine, by| {
                engine.check_store(by, store, session)
            })
            .await
    }

    #[zbus(out_args("job"))]
    async fn resize(
        &self,
        size: u64,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        parse::<NoOptions>(&options)?;
        self.0.context.admit(&header, self.about()).await?;
        not_supported(&format!("resize a store to {size} bytes"))
    }

    #[zbus(property)]
    fn name(&self) -> String {
        self.0.get().store.name.clone()
    }

    #[zbus(property)]
    fn device(&self) -> OwnedObjectPath {
        paths::device(self.0.get().store.device)
    }

    #[zbus(property)]
    fn kind(&self) -> &'static str {
        self.0.get().store.kind.word()
    }

    #[zbus(property)]
    fn locked(&self) -> bool {
        self.0.get().store.locked
    }

    #[zbus(property)]
    fn foreign(&self) -> String {
        self.0.get().store.foreign.clone()
    }

    #[zbus(property)]
    fn filesystem(&self) -> String {
        self.0.get().store.filesystem.clone()
    }

    #[zbus(property)]
    fn size(&self) -> u64 {
        self.0.get().store.size
    }

    #[zbus(property)]
    fn free(&self) -> u64 {
        self.0.get().store.free
    }

    #[zbus(property)]
    fn writable(&self) -> bool {
        self.0.get().store.writable
    }

    #[zbus(property)]
    fn problem(&self) -> &'static str {
        self.0.get().store.problem.map_or("", Word::word)
    }

    #[zbus(property)]
    fn default_session(&self) -> OwnedObjectPath {
        paths::or_none(self.0.get().store.default_session, paths::session)
    }

    #[zbus(property)]
    fn sessions(&self) -> Vec<OwnedObjectPath> {
        self.0
            .get()
            .sessions
            .iter()
            .copied()
            .map(paths::session)
            .collect()
    }
}
