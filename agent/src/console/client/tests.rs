//! The two ends of the socket together.

use super::*;
use crate::console::seat::{Seat, take};
use crate::console::server::serve;

#[test]
fn a_request_is_answered_and_nonsense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    assert!(matches!(ask(&path, &Request::Ping), Err(AskError::NoAgent)));
    let Ok(Seat::Taken(listener)) = take(&path) else { panic!("nobody is there") };
    serve(listener, |request| match request {
        Request::Ping => Answer::Pong,
        other => Answer::Done { text: format!("{other:?}") },
    })
    .unwrap();
    assert_eq!(ask(&path, &Request::Ping).unwrap(), Answer::Pong);
    let release = Request::Release { by: "root".to_owned() };
    assert_eq!(ask(&path, &release).unwrap(), Answer::Done { text: format!("{release:?}") });
    for nonsense in ["{}\n", "{\"verb\":\"reboot\"}\n", "hello\n"] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(nonsense.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        assert!(line.contains("cannot be understood"), "{line}");
    }
    // Too long is cut off and therefore nonsense; a look without a word is no request.
    let mut stream = UnixStream::connect(&path).unwrap();
    let long = format!("{{\"verb\":\"rollback\",\"reason\":\"{}\"}}\n", "x".repeat(5_000));
    let _ = stream.write_all(long.as_bytes());
    let mut line = String::new();
    // The rest of the request is thrown away with the connection, which may take the answer along.
    let read = BufReader::new(&stream).read_line(&mut line);
    assert!(read.is_err() || line.contains("cannot be understood"), "{line}");
    drop(UnixStream::connect(&path).unwrap());
    assert_eq!(ask(&path, &Request::Ping).unwrap(), Answer::Pong);
}

#[test]
fn one_that_listens_without_answering_is_told_apart_from_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let Ok(Seat::Taken(listener)) = take(&path) else { panic!("nobody is there") };
    let hang_up = std::thread::spawn(move || drop(listener.accept()));
    assert!(matches!(ask(&path, &Request::Status), Err(AskError::Silent { .. })));
    hang_up.join().unwrap();
}
