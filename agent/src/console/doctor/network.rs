//! The way to the coordinators: certificate, TCP, TLS.

use super::{Check, Weight};
use crate::console::words::time;
use crate::link::certificate;
use crate::link::tls::{self, Identity, Trust};
use crate::settings::Settings;
use model::Wall;
use rustls::ClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest wait for a connection, and for each message of the handshake.
const LIMIT: Duration = Duration::from_secs(5);

/// All checks of the way to the coordinators.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![validity(settings)];
    for address in &settings.coordinators {
        let connected = connect(address);
        let stream = connected.as_ref().ok().and_then(|stream| stream.try_clone().ok());
        let told =
            connected.map(|_| format!("{address} accepts")).map_err(|error| format!("{address}: {error}"));
        checks.push(Check::useful(
            "coordinator_tcp",
            "no network, a firewall, or no coordinator there",
            told,
        ));
        checks.push(match stream {
            None => Check::unknown(
                "coordinator_tls",
                Weight::Useful,
                "needs the connection",
                format!("{address}: not tried"),
            ),
            Some(stream) => Check::useful(
                "coordinator_tls",
                "wrong authority, name or certificate: enrol this host again, or correct the settings",
                handshake(settings, stream).map(|told| format!("{address}: {told}")),
            ),
        });
    }
    checks
}

fn validity(settings: &Settings) -> Check {
    const MEANING: &str =
        "the agent recovers it by itself once it reaches the coordinator; else enrol this host again";
    let path = &settings.certificate_file;
    let shown = path.display();
    let result = CertificateDer::from_pem_file(path)
        .map_err(|error| format!("{shown}: {error}"))
        .and_then(|der| certificate::validity(&der).ok_or_else(|| format!("{shown} is not a certificate")))
        .and_then(|(from, until)| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            let told = format!("{} to {}", time(Wall(from * 1000)), time(Wall(until * 1000)));
            if now < from || now >= until {
                Err(format!("{told}, which is not now: {}", time(Wall(now * 1000))))
            } else if now >= certificate::late(from, until) {
                Ok(format!("{told}: should have been renewed, see the log"))
            } else {
                Ok(told)
            }
        });
    Check::useful("certificate", MEANING, result)
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, LIMIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn handshake(settings: &Settings, mut stream: TcpStream) -> Result<String, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let config = tls::client_config(settings, Identity::Host, Trust::File).map_err(|error| text(&error))?;
    let name = tls::server_name(settings).map_err(|error| text(&error))?;
    let mut session = ClientConnection::new(Arc::clone(&config), name).map_err(|error| text(&error))?;
    stream.set_read_timeout(Some(LIMIT)).map_err(|error| text(&error))?;
    stream.set_write_timeout(Some(LIMIT)).map_err(|error| text(&error))?;
    let started = Instant::now();
    while session.is_handshaking() {
        session.complete_io(&mut stream).map_err(|error| text(&error))?;
        if started.elapsed() > LIMIT {
            return Err(format!("no handshake within {} s", LIMIT.as_secs()));
        }
    }
    let version = session.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    Ok(format!("{version} in {} ms", started.elapsed().as_millis()))
}
