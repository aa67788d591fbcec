//! Starting and stopping: one folder with everything in it, made at the first start, and the tasks that
//! run while the server does.

mod folder;
mod starter;

pub(crate) use folder::write_private;
pub use folder::{DataFolder, FolderError, Running};

use crate::admin_auth::{self, AuthError, FIRST_ADMIN, Limits};
use crate::app::{App, Shared};
use crate::author::PublishError;
use crate::fleet::Presence;
use crate::publish::{Publisher, SignError, Signer};
use crate::secret::Secret;
use crate::store::{Store, StoreError};
use crate::tls::{self, Authority, CertificateError, Patience, TlsError};
use policy::Standing;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use url::Url;

/// What `serve` was asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// Where agents and admins reach this server; the listening address where it is not given.
    pub public_url: Option<Url>,
    /// Needed at the first start; afterwards it must be the same.
    pub organisation: Option<String>,
    pub dark_after: Duration,
    /// A certificate and its key from somebody else's authority.
    pub tls: Option<(PathBuf, PathBuf)>,
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(
        "this server belongs to the organisation {kept:?}; it cannot become {asked:?}. Use another --data folder for another organisation"
    )]
    OtherOrganisation { kept: String, asked: String },
    #[error("{0:?} cannot be an organisation's name: it needs 1 to 64 visible characters")]
    BadOrganisation(String),
    #[error(
        "a new server needs its organisation's name: say --organisation NAME. It sticks for ever: certificates and signatures carry it"
    )]
    NoOrganisation,
    #[error(
        "{0} is every address of this machine, and profiles would name localhost: say --public-url https://HOST:PORT, where agents and admins reach this server"
    )]
    NoPublicUrl(SocketAddr),
    #[error("{0} does not begin with https://, and agents speak to nothing else")]
    NotHttps(Url),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("{0} is not an address that agents can reach this server at")]
    PublicUrl(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("signals to stop cannot be listened for: {0}")]
    Signal(std::io::Error),
}

impl ServeError {
    /// Something else has to be said on the command line.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoOrganisation
                | Self::BadOrganisation(_)
                | Self::OtherOrganisation { .. }
                | Self::NoPublicUrl(_)
                | Self::NotHttps(_)
        )
    }
}

/// A server that listens.
pub struct Server {
    pub app: Shared,
    /// The address it really listens on.
    pub listening: SocketAddr,
    /// A one-time link into the console, at the first start.
    pub console: Option<Url>,
    tasks: JoinSet<()>,
    listener: TcpListener,
    tls: rustls::ServerConfig,
    _folder: DataFolder,
}

/// Opens (or makes) the folder and listens; nothing is answered before [`Server::run`].
pub async fn start(settings: Settings) -> Result<Server, ServeError> {
    tls::install_provider();
    check_reachable(&settings)?;
    let folder = DataFolder::lock(&settings.data)?;
    let first = !folder.database().exists();
    if first {
        // Before anything is made: what is half made would not be a first start any more.
        named(settings.organisation.as_deref())?;
    }
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| ServeError::Listen(settings.listen, error))?;
    let listening = listener.local_addr().map_err(|error| ServeError::Listen(settings.listen, error))?;
    let public_url = match settings.public_url.clone() {
        Some(url) => url,
        None => own_url(listening)?,
    };
    let app = open(&settings, &folder, public_url).await?;
    let given = settings.tls.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let tls = tls::server_config(&app.authority, given, &names(listening, &app.public_url))?;
    // Later links are made on demand: one that is printed at every start would lie in many logs.
    let console = if first { Some(admin_auth::new_link(&app, FIRST_ADMIN).await?) } else { None };
    folder.note_running(&Running {
        public_url: app.public_url.clone(),
        listening,
        own_certificate: settings.tls.is_none(),
    })?;
    Ok(Server { app, listening, console, tasks: JoinSet::new(), listener, tls, _folder: folder })
}

impl Server {
    /// Answers until `stopping` of the app becomes true, then ends within two seconds.
    pub async fn run(mut self) -> Result<(), ServeError> {
        let app = &self.app;
        self.tasks.spawn(crate::fleet::watch(app.clone()));
        self.tasks.spawn(crate::alerts::deliver(app.clone()));
        self.tasks.spawn(crate::publish::keep_fresh(app.clone()));
        self.tasks.spawn(crate::ingest::watch_runs(app.clone()));
        self.tasks.spawn(crate::ledger::watch(app.clone()));
        let router = crate::http::router(app.clone());
        tls::serve(
            self.listener,
            self.tls,
            &app.authority,
            router,
            Patience::default(),
            app.stopping.subscribe(),
        )
        .await?;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // A delivery under way is tried again after the next start.
        let _ = tokio::time::timeout(Duration::from_millis(300), all).await;
        self.tasks.abort_all();
        app.store.close().await;
        Ok(())
    }
}

/// Opens the folder of a server that does not run, for the command line: everything but listening.
pub async fn open_offline(data: &Path) -> Result<(DataFolder, Shared), ServeError> {
    tls::install_provider();
    let folder = DataFolder::lock(data)?;
    let last = folder.last_running();
    let settings = Settings {
        data: data.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        organisation: None,
        dark_after: Duration::from_secs(90),
        // What counts of it here is whether agents need our authority's certificate.
        tls: last.as_ref().filter(|last| !last.own_certificate).map(|_| (PathBuf::new(), PathBuf::new())),
    };
    let public_url = match last {
        Some(last) => last.public_url,
        None => own_url(settings.listen)?,
    };
    let app = open(&settings, &folder, public_url).await?;
    Ok((folder, app))
}

async fn open(settings: &Settings, folder: &DataFolder, public_url: Url) -> Result<Shared, ServeError> {
    let store = Store::open(&folder.database()).await?;
    let organisation = organisation(&store, settings.organisation.as_deref()).await?;
    let authority = Authority::open(&folder.keys(), &organisation, settings.tls.is_none())?;
    let signer = Signer::open(&folder.keys(), &organisation).await?;
    let app = App {
        organisation,
        public_url,
        store,
        authority,
        publisher: Publisher::new(signer),
        pushes: broadcast::channel(64).0,
        presence: Presence::default(),
        limits: Limits::default(),
        dark_after: settings.dark_after,
        courier: Notify::new(),
        stopping: watch::channel(false).0,
    };
    first_admin(&app, folder).await?;
    put_in_force(&app).await?;
    Ok(Arc::new(app))
}

/// Kept from the first start on: certificates and signatures carry it.
async fn organisation(store: &Store, asked: Option<&str>) -> Result<String, ServeError> {
    const FACT: &str = "organisation";
    match (store.fact(FACT).await?, asked) {
        (Some(kept), Some(asked)) if kept != asked => {
            Err(ServeError::OtherOrganisation { kept, asked: asked.to_owned() })
        }
        (Some(kept), _) => Ok(kept),
        (None, asked) => {
            let name = named(asked)?;
            store.set_fact(FACT, name).await?;
            Ok(name.to_owned())
        }
    }
}

fn named(asked: Option<&str>) -> Result<&str, ServeError> {
    let name = asked.ok_or(ServeError::NoOrganisation)?.trim();
    let fits = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(ServeError::BadOrganisation(name.to_owned())) }
}

/// Profiles carry the address to machines, where nobody corrects it any more.
fn check_reachable(settings: &Settings) -> Result<(), ServeError> {
    match &settings.public_url {
        None if settings.listen.ip().is_unspecified() => Err(ServeError::NoPublicUrl(settings.listen)),
        Some(url) if url.scheme() != "https" => Err(ServeError::NotHttps(url.clone())),
        Some(url) if url.host_str().is_none() => Err(ServeError::PublicUrl(url.to_string())),
        _ => Ok(()),
    }
}

/// The admin and the token by which the command line on this machine talks to the running server.
async fn first_admin(app: &App, folder: &DataFolder) -> Result<(), ServeError> {
    app.store.add_admin(FIRST_ADMIN).await?;
    if folder.admin_token().is_none() {
        let token = Secret::generate().map_err(AuthError::from)?;
        app.store.add_api_token(&uuid::Uuid::now_v7().to_string(), &token.hash(), FIRST_ADMIN).await?;
        folder.write_admin_token(token.reveal())?;
    }
    Ok(())
}

async fn put_in_force(app: &App) -> Result<(), ServeError> {
    let turn = app.publisher.turn().await;
    if app.store.current_policy().await?.is_some() {
        turn.sign_again(app).await?;
    } else {
        let text = starter::policy(&app.organisation);
        let note = "The policy every organisation starts with: everything is recorded, nothing is refused.";
        turn.publish(app, 0, &text, &Standing::default(), "portreeve-server", note).await?;
    }
    Ok(())
}

/// Where nobody said otherwise, the server is reached at the address it listens on.
fn own_url(listening: SocketAddr) -> Result<Url, ServeError> {
    let host = if listening.ip().is_unspecified() {
        "localhost".to_owned()
    } else if listening.is_ipv6() {
        format!("[{}]", listening.ip())
    } else {
        listening.ip().to_string()
    };
    let text = format!("https://{host}:{}", listening.port());
    Url::parse(&text).map_err(|_| ServeError::PublicUrl(text))
}

fn names(listening: SocketAddr, public_url: &Url) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !listening.ip().is_unspecified() {
        names.push(listening.ip().to_string());
    }
    if let Some(host) = public_url.host_str() {
        names.push(host.trim_matches(['[', ']']).to_owned());
    }
    names.sort();
    names.dedup();
    names
}
