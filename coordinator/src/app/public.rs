//! The listeners for people and for metrics, put together: addresses, TLS, routers, people.
//!
//! Must not: decide who may what (`api` and `people` do). Called by the composition root.

use super::{OperatorActions, Parts, ServeError, listen};
use crate::api::{self, ApiParts, Live, Tally, TokenMaker, Transport};
use crate::doors::{self, Door, DoorLimits, MetricsParts};
use crate::people::People;
use crate::people::oidc::OidcProvider;
use crate::settings::{OperatorsTls, Settings};
use crate::tasks::wall_now;
use crate::tasks::window::WindowExtender;
use crate::trust::Authority;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Listeners that are taken and serve nothing yet.
pub(super) struct Public {
    operators: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    metrics: Option<TcpListener>,
}

impl Public {
    /// Takes the addresses and sets TLS up.
    pub(super) async fn listen(settings: &Settings, authority: &Authority) -> Result<Self, ServeError> {
        let tls = match &settings.operators_tls {
            OperatorsTls::Off => None,
            OperatorsTls::Own => {
                Some(doors::own(authority.issue_server(&settings.server_names, wall_now())?)?)
            }
            OperatorsTls::Files { certificate, key } => Some(doors::read_files(certificate, key)?),
        };
        let metrics = match settings.listen_metrics {
            Some(address) => Some(listen("listen_metrics", address).await?),
            None => None,
        };
        Ok(Self { operators: listen("listen_operators", settings.listen_operators).await?, tls, metrics })
    }

    /// Where people and where monitoring connect.
    pub(super) fn addresses(&self) -> Result<(SocketAddr, Option<SocketAddr>), ServeError> {
        let operators = self.operators.local_addr().map_err(ServeError::System)?;
        let metrics = self.metrics.as_ref().map(TcpListener::local_addr).transpose();
        Ok((operators, metrics.map_err(ServeError::System)?))
    }

    /// Serves until `stop` turns true.
    pub(super) fn serve(
        self,
        parts: &Parts,
        token_maker: Arc<TokenMaker>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<(&'static str, JoinHandle<()>)>, ServeError> {
        let Self { operators, tls, metrics } = self;
        let oidc = parts.settings.oidc.clone().map(OidcProvider::new).transpose()?;
        let tally = Arc::new(Tally::default());
        let live: Arc<dyn Live> = Arc::new(parts.fleet.clone());
        let offers = Arc::new(parts.fleet.clone());
        let (repo, driver, lease) = (parts.nudge_repo.clone(), parts.driver.clone(), parts.lease.clone());
        let windows = WindowExtender::new(parts.db.clone(), lease.clone(), Arc::new(parts.fleet.clone()));
        let proposals = (parts.reviewer.clone(), parts.pulls());
        let operations = OperatorActions::new(repo, driver, offers, lease, windows, proposals);
        let router = api::router(ApiParts {
            db: parts.db.clone(),
            live: Arc::clone(&live),
            operations: Arc::new(operations),
            people: People::new(parts.db.clone(), parts.operator_token.clone(), oidc),
            transport: if tls.is_some() { Transport::Tls } else { Transport::Plain },
            tally: Arc::clone(&tally),
            token_maker,
            hooks: parts.forge.hooks.clone(),
        });
        let limits = DoorLimits::default();
        let door = Door { name: "operators", listener: operators, tls, router, limits };
        let mut tasks = vec![("operators' interface", tokio::spawn(doors::serve(door, stop.clone())))];
        if let Some(listener) = metrics {
            let router = doors::metrics_router(MetricsParts { db: parts.db.clone(), live, tally });
            let door = Door { name: "metrics", listener, tls: None, router, limits };
            tasks.push(("metrics", tokio::spawn(doors::serve(door, stop.clone()))));
        }
        Ok(tasks)
    }
}
