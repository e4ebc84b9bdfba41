//! Objects that come, change and go on the bus.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use zbus::{
    Connection, OwnedObjectPath, OwnedVariant, Variant,
    fdo::Properties,
    object_server::{Interface, InterfaceRef},
};

use super::context::Context;

/// The state an object shows: replaced by the publisher, read by getters.
#[derive(Debug)]
pub(super) struct Shown<V>(Arc<Mutex<Arc<V>>>);

impl<V> Shown<V> {
    pub(super) fn new(value: V) -> Shown<V> {
        Shown(Arc::new(Mutex::new(Arc::new(value))))
    }

    pub(super) fn get(&self) -> Arc<V> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, value: V) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

impl<V> Clone for Shown<V> {
    fn clone(&self) -> Shown<V> {
        Shown(self.0.clone())
    }
}

/// A kind of object that comes and goes.
pub(super) trait Object: Interface + Sized {
    type Key: Ord + Copy + Send + Sync;
    type View: PartialEq + Send + Sync;

    fn path(key: Self::Key) -> OwnedObjectPath;
    fn new(shelved: Shelved<Self::Key, Self::View>) -> Self;
}

/// What every object is made of that comes and goes.
pub(super) struct Shelved<K, V> {
    pub(super) key: K,
    shown: Shown<V>,
    pub(super) context: Arc<Context>,
}

impl<K, V> Shelved<K, V> {
    /// What the object shows.
    pub(super) fn get(&self) -> Arc<V> {
        self.shown.get()
    }
}

/// All objects of one kind.
pub(super) struct Shelf<O: Object> {
    connection: Connection,
    context: Arc<Context>,
    objects: BTreeMap<O::Key, Shown<O::View>>,
}

impl<O: Object> Shelf<O> {
    pub(super) fn new(connection: &Connection, context: &Arc<Context>) -> Shelf<O> {
        Shelf {
            connection: connection.clone(),
            context: context.clone(),
            objects: BTreeMap::new(),
        }
    }

    /// Takes away what is not among these.
    pub(super) async fn keep_only(
        &mut self,
        views: &BTreeMap<O::Key, O::View>,
    ) -> zbus::Result<()> {
        let gone = self.objects.keys().filter(|key| !views.contains_key(key));
        let gone: Vec<_> = gone.copied().collect();
        for key in gone {
            self.objects.remove(&key);
            self.connection
                .object_server()
                .remove::<O, _>(O::path(key))
                .await?;
        }
        Ok(())
    }

    /// Adds what is new and tells what changed.
    pub(super) async fn show(&mut self, views: BTreeMap<O::Key, O::View>) -> zbus::Result<()> {
        for (key, view) in views {
            match self.objects.get(&key) {
                None => self.add(key, view).await?,
                Some(shown) if *shown.get() != view => {
                    replace::<O, _>(&self.connection, O::path(key), shown, view).await?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn add(&mut self, key: O::Key, view: O::View) -> zbus::Result<()> {
        let shown = Shown::new(view);
        let object = O::new(Shelved {
            key,
            shown: shown.clone(),
            context: self.context.clone(),
        });
        self.connection
            .object_server()
            .at(O::path(key), object)
            .await?;
        self.objects.insert(key, shown);
        Ok(())
    }
}

/// Replaces what an object shows, and sends one signal with all properties that changed by it.
pub(super) async fn replace<I: Interface, V>(
    connection: &Connection,
    path: OwnedObjectPath,
    shown: &Shown<V>,
    view: V,
) -> zbus::Result<()> {
    let object = connection.object_server().interface::<_, I>(path).await?;
    let before = properties(connection, &object).await?;
    shown.set(view);
    let after = properties(connection, &object).await?;
    let changed: HashMap<&str, Variant<'_>> = after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(*value))
        .map(|(name, value)| Ok((name.as_str(), Variant::try_from(value)?)))
        .collect::<zbus::Result<_>>()?;
    if changed.is_empty() {
        return Ok(());
    }
    let emitter = object.signal_emitter();
    Properties::properties_changed(emitter, I::name(), changed, (&[]).into()).await
}

async fn properties<I: Interface>(
    connection: &Connection,
    object: &InterfaceRef<I>,
) -> zbus::Result<HashMap<String, OwnedVariant>> {
    let server = connection.object_server();
    let all = object
        .get()
        .await
        .get_all(server, connection, None, object.signal_emitter())
        .await;
    Ok(all?)
}
