//! One new TCP and TLS connection to one coordinator. Nothing is pooled: each call is a proof of its own.

use super::tls::{self, Identity, TlsError, Trust};
use crate::settings::Settings;
use hyper_util::rt::TokioIo;
use proto::v1::agent_client::AgentClient;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// Longest time until TCP and TLS stand.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A silent connection is asked for a sign of life after this, and given up after the same again.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Why the coordinator was not reached, or did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Own certificate or authority cannot be used.
    #[error("TLS is not set up")]
    Tls(#[from] TlsError),
    /// No connection.
    #[error("coordinator {address} cannot be reached")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        source: tonic::transport::Error,
    },
    /// It refused or broke off.
    #[error("coordinator {address} refused: {}", status.message())]
    Refused {
        /// Where.
        address: String,
        /// What it said.
        status: Box<tonic::Status>,
    },
    /// It did not answer in time.
    #[error("coordinator {address} did not answer within {} s", after.as_secs())]
    Silent {
        /// Where.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// It said something that cannot be understood.
    #[error("coordinator {address} said something that cannot be understood")]
    Wire {
        /// Where.
        address: String,
        /// What.
        source: proto::convert::WireError,
    },
    /// The stream ended.
    #[error("coordinator {address} ended the stream")]
    Ended {
        /// Where.
        address: String,
    },
}

impl LinkError {
    /// The coordinator refused or broke off.
    #[must_use]
    pub fn refused(address: &str, status: tonic::Status) -> Self {
        Self::Refused { address: address.to_owned(), status: Box::new(status) }
    }

    /// Whether the coordinator is only too busy.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.code() == tonic::Code::ResourceExhausted)
    }

    /// Whether it may be otherwise in a while.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Ended { .. } => true,
            Self::Refused { status, .. } => self.is_busy() || status.code() == tonic::Code::Unavailable,
            Self::Tls(_) | Self::Wire { .. } => false,
        }
    }

    /// The error and all its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Opens a connection of its own.
pub async fn connect(
    settings: &Settings,
    address: &str,
    identity: Identity,
) -> Result<AgentClient<Channel>, LinkError> {
    connect_trusting(settings, address, identity, Trust::File).await
}

/// Opens a connection of its own to a coordinator of this authority.
pub async fn connect_trusting(
    settings: &Settings,
    address: &str,
    identity: Identity,
    trust: Trust<'_>,
) -> Result<AgentClient<Channel>, LinkError> {
    let connector = TlsConnector::from(tls::client_config(settings, identity, trust)?);
    let name = tls::server_name(settings)?;
    let target = address.to_owned();
    // The address is ours, not the URI's: the URI only names the authority of HTTP/2.
    let service = tower::service_fn(move |_: Uri| {
        let (connector, name, target) = (connector.clone(), name.clone(), target.clone());
        async move {
            let tcp = TcpStream::connect(&target).await?;
            // Keep-alive at the HTTP/2 level does not need it; hosts may refuse the option.
            let _ = tcp.set_nodelay(true);
            let tls = connector.connect(name, tcp).await?;
            Ok::<_, std::io::Error>(TokioIo::new(tls))
        }
    });
    let channel = Endpoint::from_static("http://pointsman")
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector(service)
        .await
        .map_err(|source| LinkError::Unreachable { address: address.to_owned(), source })?;
    Ok(AgentClient::new(channel)
        .max_decoding_message_size(proto::MESSAGE_BYTES_MAX)
        .max_encoding_message_size(proto::MESSAGE_BYTES_MAX))
}
