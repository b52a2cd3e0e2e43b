//! The listeners for people and for metrics: connections, TLS, and what one connection may use up.
//!
//! Owns: accepting, handshakes, HTTP framing and its limits, graceful ends. Must not: know a route, or who asks (`api`
//! does). Called by the composition root. The agents' port is another matter: see `fleet`.
//!
//! Plain HTTP is for this machine only; the settings refuse it on any other address.

mod metrics;
mod tls;

#[cfg(test)]
mod tests;

pub use metrics::{MetricsParts, router as metrics_router};
pub use tls::{DoorTlsError, own, read_files};

use crate::api::Source;
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service;

/// Connections at once.
const CONNECTIONS_MAX: usize = 512;
/// Header of a request, in bytes.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Lines of a header.
const HEADER_LINES_MAX: usize = 64;
/// How long requests may take to end when the coordinator ends.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Wait after the system refused a connection, e.g. for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one address and one connection may use up.
#[derive(Debug, Clone, Copy)]
pub struct DoorLimits {
    /// Connections of one address at once.
    pub connections_of_one: usize,
    /// Longest TLS handshake.
    pub handshake: Duration,
    /// Longest wait for the header of a request, also of the next one on a quiet connection.
    pub header: Duration,
    /// Longest life of a connection; then its peer connects anew.
    pub connection: Duration,
}

impl Default for DoorLimits {
    /// 128 connections; 5 s for a handshake, 15 s for a header, 1 hour for a connection.
    fn default() -> Self {
        Self {
            connections_of_one: 128,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(15),
            connection: Duration::from_secs(60 * 60),
        }
    }
}

/// A listener and what it serves.
pub struct Door {
    /// For logs.
    pub name: &'static str,
    /// Where.
    pub listener: TcpListener,
    /// TLS; plain HTTP without.
    pub tls: Option<Arc<ServerConfig>>,
    /// What.
    pub router: Router,
    /// How much of it.
    pub limits: DoorLimits,
}

/// How many connections each address has open.
#[derive(Debug, Default)]
struct Guests(Mutex<BTreeMap<IpAddr, usize>>);

/// A place of one address; given back when it is dropped.
struct Place {
    guests: Arc<Guests>,
    address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Guests {
    fn welcome(self: &Arc<Self>, address: IpAddr, most: usize, room: OwnedSemaphorePermit) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { guests: Arc::clone(self), address, _room: room })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// Serves until `stop` turns true, then lets open requests end.
pub async fn serve(door: Door, mut stop: watch::Receiver<bool>) {
    let Door { name, listener, tls, router, limits } = door;
    let acceptor = tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let guests = Arc::new(Guests::default());
    let mut connections = JoinSet::new();
    loop {
        // Room first: what cannot be served waits in the system's queue.
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&room, &listener) => accepted,
        };
        let (permit, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(name, %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let source = Source(peer.ip().to_canonical());
        let Some(place) = guests.welcome(source.budget(), limits.connections_of_one, permit) else {
            tracing::debug!(name, %peer, "an address has too many connections: one more was closed");
            continue;
        };
        let talk = Talk { router: router.clone(), source, limits, stop: stop.clone() };
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let _place = place;
            if let Err(error) = talk.begin(stream, acceptor).await {
                tracing::debug!(name, %peer, %error, "a connection ended with an error");
            }
        });
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END_LIMIT, ended).await.is_err() {
        tracing::warn!(name, "some requests did not end in time; their connections end with the process");
    }
}

async fn accept(
    room: &Arc<Semaphore>,
    listener: &TcpListener,
) -> std::io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((permit, stream, peer))
}

type TalkError = Box<dyn std::error::Error + Send + Sync>;

/// One connection.
struct Talk {
    router: Router,
    source: Source,
    limits: DoorLimits,
    stop: watch::Receiver<bool>,
}

impl Talk {
    async fn begin(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Result<(), TalkError> {
        let Some(acceptor) = acceptor else { return self.converse(stream).await };
        let stream = tokio::time::timeout(self.limits.handshake, acceptor.accept(stream)).await??;
        self.converse(stream).await
    }

    async fn converse(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<(), TalkError> {
        let Self { router, source, limits, mut stop } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(source);
            router.clone().call(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_headers(HEADER_LINES_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(limits.connection) => {}
        }
        connection.as_mut().graceful_shutdown();
        Ok(tokio::time::timeout(END_LIMIT, connection).await??)
    }
}
