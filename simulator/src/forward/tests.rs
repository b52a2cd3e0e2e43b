//! Bytes flow only while the host's network works.

use super::*;
use crate::fleet::{FleetRequest, make_hosts};

/// Longest wait for something that must happen.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for something that must not happen.
const QUIET: Duration = Duration::from_millis(150);

struct Lab {
    _root: tempfile::TempDir,
    host: HostDir,
    port: u16,
}

/// A host and a coordinator that sends every byte back.
fn lab() -> Lab {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = echo.local_addr().unwrap();
    thread::spawn(move || {
        for client in echo.incoming() {
            let mut client = client.unwrap();
            thread::spawn(move || io::copy(&mut client.try_clone().unwrap(), &mut client));
        }
    });
    let root = tempfile::tempdir().unwrap();
    let request = FleetRequest { count: 1, group: "lab".into(), version: "8.0".into() };
    let dir = root.path().join(&make_hosts(root.path(), &request).unwrap()[0]);
    let port = open(&dir, address).unwrap();
    Lab { _root: root, host: HostDir::new(dir), port }
}

impl Lab {
    fn client(&self) -> TcpStream {
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        client
    }

    fn set_vlan(&self, vlan: &str) {
        let words =
            ["network", "vswitch", "standard", "portgroup", "set", "-p", "Management Network", "-v", vlan];
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(self.host.exec(&words).unwrap().exit_code, 0);
    }
}

fn echoed(client: &mut TcpStream) -> io::Result<[u8; 4]> {
    let mut answer = [0; 4];
    client.read_exact(&mut answer).map(|()| answer)
}

#[test]
fn a_cut_stalls_and_a_repair_lets_the_same_connection_go_on() {
    let lab = lab();
    let mut old = lab.client();
    old.write_all(b"one.").unwrap();
    assert_eq!(&echoed(&mut old).unwrap(), b"one.");
    lab.set_vlan("11");
    old.write_all(b"two.").unwrap();
    let mut new = lab.client();
    new.write_all(b"new.").unwrap();
    for client in [&mut old, &mut new] {
        client.set_read_timeout(Some(QUIET)).unwrap();
        let error = echoed(client).unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{error}");
        client.set_read_timeout(Some(LIMIT)).unwrap();
    }
    lab.set_vlan("10");
    assert_eq!(&echoed(&mut old).unwrap(), b"two.");
    assert_eq!(&echoed(&mut new).unwrap(), b"new.");
}

#[test]
fn a_fault_can_make_the_cut_refuse() {
    let lab = lab();
    lab.host.update(|host| host.fabric.when_cut = CutMode::Refuse).unwrap();
    lab.set_vlan("11");
    let mut client = lab.client();
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)), "closed at once");
    lab.set_vlan("10");
    let mut client = lab.client();
    client.write_all(b"back").unwrap();
    assert_eq!(&echoed(&mut client).unwrap(), b"back");
}

#[test]
fn the_end_of_a_connection_is_forwarded() {
    let lab = lab();
    let mut client = lab.client();
    client.write_all(b"last").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"last");
    let port: u16 = fs::read_to_string(lab.host.file("link.port")).unwrap().trim().parse().unwrap();
    assert_eq!(port, lab.port);
}
