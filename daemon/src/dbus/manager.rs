//! `org.ubuntu.Wendy`: the running system and the main verbs.

use std::sync::Arc;

use wendy_dbus::{
    Dict, Error, Result,
    options::{PrepareOptions, SaveOptions, SnapshotOptions, SwitchOptions, parse},
    words::Word,
};
use zbus::{OwnedObjectPath, interface, message::Header};

use super::{
    about::About,
    context::{Context, not_supported},
    paths,
    system::SystemView,
    values::dict,
};
use crate::{
    model::LiveState,
    operations::{Operations, PrepareRequest, SaveRequest},
};

/// What works, in the words of the contract. A verb that is not in here answers `NotSupported`.
const CAPABILITIES: [&str; 6] = [
    "prepare-device",
    "prepare-partition",
    "prepare-free-space",
    "prepare-loopback",
    "save-session",
    "check-store",
];

/// The root object on the bus.
pub(super) struct Manager {
    context: Arc<Context>,
}

impl Manager {
    pub(super) fn new(context: Arc<Context>) -> Manager {
        Manager { context }
    }

    fn live(&self) -> LiveState {
        self.context.hub.snapshot().live.clone()
    }

    /// As it is now: a filesystem that has become full tells nobody.
    fn system(&self) -> SystemView {
        self.context.operations.look_at_system();
        SystemView::of(&self.context.hub.snapshot())
    }
}

#[interface(name = "org.ubuntu.Wendy", introspection_docs = false)]
impl Manager {
    #[zbus(out_args("plan", "token"))]
    async fn plan_prepare(
        &self,
        device: OwnedObjectPath,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Dict, String)> {
        let wanted = PrepareWish::read(&options)?;
        let id = paths::parse_device(&device)?;
        let visit = self.context.admit(&header, About::device(id)).await?;
        let request = wanted.possible()?;
        let plan = move |engine: &dyn Operations, by: &_| engine.plan_prepare(by, id, request);
        let (facts, token) = self.context.run(visit, plan).await?;
        Ok((dict(&facts), token))
    }

    #[zbus(out_args("job"))]
    async fn prepare_device(
        &self,
        device: OwnedObjectPath,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        let wanted = PrepareWish::read(&options)?;
        let id = paths::parse_device(&device)?;
        let about = About::device(id).named(&wanted.request.name);
        let visit = self.context.admit(&header, about).await?;
        let request = wanted.possible()?;
        self.context
            .run_job(visit, move |engine, by| engine.prepare(by, id, request))
            .await
    }

    #[zbus(out_args("plan"))]
    async fn plan_save(
        &self,
        store: OwnedObjectPath,
        name: String,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<Dict> {
        let request = save_request(name, &options)?;
        let key = paths::parse_store(&store)?;
        let about = About::store(key)
            .and_session(request.session)
            .named(&request.name);
        let visit = self.context.admit(&header, about).await?;
        let plan = self
            .context
            .run(visit, move |engine, by| engine.plan_save(by, key, request));
        Ok(dict(&plan.await?))
    }

    #[zbus(out_args("job"))]
    async fn save_session(
        &self,
        store: OwnedObjectPath,
        name: String,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        let request = save_request(name, &options)?;
        let key = paths::parse_store(&store)?;
        let about = About::store(key)
            .and_session(request.session)
            .named(&request.name);
        let visit = self.context.admit(&header, about).await?;
        self.context
            .run_job(visit, move |engine, by| engine.save(by, key, request))
            .await
    }

    #[zbus(out_args("job"))]
    async fn switch_upper_layer(
        &self,
        session: OwnedObjectPath,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        parse::<SwitchOptions>(&options)?;
        let about = About::session(paths::parse_session(&session)?);
        self.context.admit(&header, about).await?;
        not_supported("switch the running system to a session")
    }

    #[zbus(out_args("job"))]
    async fn snapshot(
        &self,
        name: String,
        options: Dict,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<OwnedObjectPath> {
        let options: SnapshotOptions = parse(&options)?;
        let about = About::system()
            .named(&name)
            .exported(options.output.is_some());
        self.context.admit(&header, about).await?;
        not_supported("write snapshots")
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn capabilities(&self) -> Vec<&'static str> {
        CAPABILITIES.to_vec()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn live_stack(&self) -> &'static str {
        self.live().stack.map_or("none", |stack| stack.as_str())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn upper_kind(&self) -> &'static str {
        self.live().upper_kind.map_or("none", |kind| kind.as_str())
    }

    #[zbus(property)]
    fn state(&self) -> &'static str {
        self.system().condition.state.word()
    }

    #[zbus(property)]
    fn state_reason(&self) -> &'static str {
        let reason = self.system().condition.reason;
        reason.map_or("", Word::word)
    }

    #[zbus(property)]
    fn state_message(&self) -> String {
        self.system().condition.message
    }

    #[zbus(property)]
    fn running_session(&self) -> OwnedObjectPath {
        paths::or_none(self.system().session, paths::session)
    }

    #[zbus(property)]
    fn running_session_name(&self) -> String {
        self.system().session_name
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn base_image(&self) -> String {
        self.live().base_image
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn upper_used(&self) -> u64 {
        self.context.operations.upper_space().used
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn upper_size(&self) -> u64 {
        self.context.operations.upper_space().size
    }
}

/// Options of a prepare, read but not yet judged.
struct PrepareWish {
    request: PrepareRequest,
    encrypt: bool,
}

impl PrepareWish {
    fn read(options: &Dict) -> Result<PrepareWish> {
        let options: PrepareOptions = parse(options)?;
        let no_name = || Error::InvalidArgument("the option \"name\" is missing".to_owned());
        let request = PrepareRequest {
            mode: options.mode,
            name: options.name.ok_or_else(no_name)?,
            size: options.size,
            filesystem: options.filesystem,
            token: options.token,
        };
        let encrypt = options.encrypt == Some(true) || options.passphrase.is_some();
        Ok(PrepareWish { request, encrypt })
    }

    fn possible(self) -> Result<PrepareRequest> {
        if self.encrypt {
            not_supported("encrypt stores")
        } else {
            Ok(self.request)
        }
    }
}

fn save_request(name: String, options: &Dict) -> Result<SaveRequest> {
    let options: SaveOptions = parse(options)?;
    let session = options.session.as_ref().map(paths::parse_session);
    Ok(SaveRequest {
        name,
        session: session.transpose()?,
        default: options.default,
        exclude: options.exclude.unwrap_or_default(),
        quiesce: options.quiesce,
        overwrite: options.overwrite.unwrap_or(false),
    })
}
