//! A raw client: one connection to the coordinator, and whether it was shut out. Must not know a single attack.

use crate::wire::{self, Identity};
use anyhow::{Context, Result, bail};
use hyper_util::rt::TokioIo;
use proto::convert::{EnrolReply, FromCoordinator};
use proto::v1;
use proto::v1::agent_client::AgentClient;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};

/// No wait for the other side is longer.
const ANSWER: Duration = Duration::from_secs(20);
/// Messages that wait on our side.
const QUEUE: usize = 8;
/// The name in the coordinator's certificate.
pub const SERVER_NAME: &str = "pointsman.lab";

/// Whether something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It was.
    Yes,
    /// It was done.
    No,
}

/// One connection, and its stream when there is one.
pub struct Line {
    client: AgentClient<Channel>,
    channel: Channel,
    /// Whether TLS went on where an earlier connection ended.
    pub resumed: bool,
    stream: Option<(mpsc::Sender<v1::AgentMessage>, Streaming<v1::CoordinatorMessage>)>,
}

/// Whether an answer is a refusal. What only says "not now" is a broken attack, not a refusal.
fn judged<T>(answer: Result<T, Status>) -> Result<Refused> {
    match answer {
        Ok(_) => Ok(Refused::No),
        Err(status) if status.code() == Code::Unavailable && status.message().contains("no verdict") => {
            bail!("the coordinator only put it off: {status}")
        }
        Err(_) => Ok(Refused::Yes),
    }
}

impl Line {
    /// Connects.
    pub async fn dial(
        address: SocketAddr,
        trusted: &CertificateDer<'static>,
        identity: Option<&Identity>,
    ) -> Result<Self> {
        Self::dial_with(address, wire::client(trusted, identity)?).await
    }

    /// Connects with a memory of earlier connections.
    pub async fn dial_with(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Self> {
        let connector = TlsConnector::from(config);
        let tcp = TcpStream::connect(address).await?;
        let tls = connector.connect(ServerName::try_from(SERVER_NAME)?, tcp).await?;
        let resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        let once = Arc::new(Mutex::new(Some(tls)));
        let service = tower::service_fn(move |_: Uri| {
            let taken = once.lock().map(|mut tls| tls.take()).unwrap_or_default();
            let taken = taken.ok_or_else(|| std::io::Error::other("the connection is gone"));
            std::future::ready(taken.map(TokioIo::new))
        });
        let channel = Endpoint::from_static("http://coordinator").connect_with_connector(service).await?;
        Ok(Self { client: AgentClient::new(channel.clone()), channel, resumed, stream: None })
    }

    /// Says bytes to the port without TLS; refused when nothing but an alert or an end comes back.
    pub async fn speak(address: SocketAddr, bytes: &[u8]) -> Result<Refused> {
        let mut tcp = TcpStream::connect(address).await?;
        tcp.write_all(bytes).await?;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(ANSWER, tcp.read_to_end(&mut answer)).await;
        // An alert of TLS has seven bytes; a reset is an end too.
        let ended = read.is_ok();
        Ok(if ended && answer.len() <= 7 { Refused::Yes } else { Refused::No })
    }

    /// Opens a stream with this message, and reads the welcome when there is one.
    pub async fn open(&mut self, first: v1::AgentMessage) -> Result<()> {
        self.open_unanswered(first).await?;
        Ok(())
    }

    /// Opens a stream with this message.
    pub async fn open_unanswered(&mut self, first: v1::AgentMessage) -> Result<()> {
        let (outgoing, messages) = mpsc::channel(QUEUE);
        outgoing.send(first).await?;
        let opened = tokio::time::timeout(ANSWER, self.client.session(ReceiverStream::new(messages))).await?;
        self.stream = Some((outgoing, opened?.into_inner()));
        Ok(())
    }

    /// Tries to open a stream.
    pub async fn try_open(&mut self, first: v1::AgentMessage) -> Result<Refused> {
        let (outgoing, messages) = mpsc::channel(QUEUE);
        outgoing.send(first).await?;
        judged(tokio::time::timeout(ANSWER, self.client.session(ReceiverStream::new(messages))).await?)
    }

    /// Tries to have a change confirmed.
    pub async fn try_confirm(&mut self, request: v1::ConfirmRequest) -> Result<Refused> {
        judged(tokio::time::timeout(ANSWER, self.client.confirm(request)).await?)
    }

    /// Tries to enrol.
    pub async fn try_enrol(&mut self, request: v1::EnrolRequest) -> Result<Refused> {
        judged(tokio::time::timeout(ANSWER, self.client.enrol(request)).await?)
    }

    /// Enrols, or is told to wait.
    pub async fn enrol(&mut self, request: v1::EnrolRequest) -> Result<EnrolReply> {
        let answer = tokio::time::timeout(ANSWER, self.client.enrol(request)).await?;
        Ok(EnrolReply::try_from(answer?.into_inner())?)
    }

    /// Tries to renew a certificate.
    pub async fn try_renew(&mut self, csr_pem: String) -> Result<Refused> {
        judged(tokio::time::timeout(ANSWER, self.client.renew(v1::RenewRequest { csr_pem })).await?)
    }

    /// Asks for a challenge.
    pub async fn challenge(&mut self, host: &str) -> Result<String> {
        let question = v1::RecoverRequest { host_id: host.to_owned(), ..v1::RecoverRequest::default() };
        let answer = tokio::time::timeout(ANSWER, self.client.recover(question)).await?;
        Ok(answer?.into_inner().challenge)
    }

    /// Tries to recover a certificate with an answer to a challenge.
    pub async fn try_recover(&mut self, question: v1::RecoverRequest) -> Result<Refused> {
        judged(tokio::time::timeout(ANSWER, self.client.recover(question)).await?)
    }

    /// Makes a call by its path, with a message that is another one's.
    pub async fn try_path(&mut self, path: &'static str) -> Result<Refused> {
        let mut raw = tonic::client::Grpc::new(self.channel.clone());
        raw.ready().await?;
        let codec = tonic_prost::ProstCodec::<v1::Heartbeat, v1::ConfirmResponse>::default();
        let message = v1::Heartbeat { sequence: 1, ..v1::Heartbeat::default() };
        let call = raw.unary(Request::new(message), PathAndQuery::from_static(path), codec);
        judged(tokio::time::timeout(ANSWER, call).await?)
    }

    /// Says something on the stream.
    pub async fn say(&mut self, message: v1::AgentMessage) -> Result<()> {
        let (outgoing, _) = self.stream.as_ref().context("no stream is open")?;
        outgoing.send(message).await.context("the stream ended before anything wrong was said")
    }

    /// The next message.
    pub async fn next(&mut self) -> Result<v1::CoordinatorMessage> {
        let (_, incoming) = self.stream.as_mut().context("no stream is open")?;
        let message =
            tokio::time::timeout(ANSWER, incoming.message()).await.context("nothing was said")??;
        message.context("the coordinator ended the stream")
    }

    /// Reads until the stream ends with an error, or for too long.
    pub async fn ended(&mut self) -> Result<Refused> {
        let (_, incoming) = self.stream.as_mut().context("no stream is open")?;
        let reading = async {
            loop {
                match incoming.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Refused::No,
                    Err(_) => return Refused::Yes,
                }
            }
        };
        Ok(tokio::time::timeout(ANSWER, reading).await.unwrap_or(Refused::No))
    }

    /// Reads until an outcome is acknowledged.
    pub async fn acknowledged(&mut self) -> Result<()> {
        loop {
            if let Ok(FromCoordinator::OutcomeAck { .. }) = FromCoordinator::try_from(self.next().await?) {
                return Ok(());
            }
        }
    }
}
