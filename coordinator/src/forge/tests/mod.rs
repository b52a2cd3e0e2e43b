//! Tests of the forges, against servers that follow their documented APIs. The servers also serve the tests of the task that
//! reviews pull requests.

mod clients;
mod faults;
pub(crate) mod server;
mod webhook;

use super::*;
use model::Secret;
use server::{Server, TOKEN};

/// Small limits: nothing waits for long.
pub(crate) fn limits() -> HttpLimits {
    HttpLimits {
        request_time: std::time::Duration::from_secs(5),
        attempts_max: 3,
        first_wait: std::time::Duration::from_millis(1),
        rest_wait_max: std::time::Duration::from_secs(2),
        answer_bytes_max: 256 * 1024,
        pages_max: 5,
    }
}

pub(crate) fn settings(server: &Server) -> ForgeSettings {
    ForgeSettings {
        kind: server.kind,
        url: server.url.clone(),
        repository: server.repository().to_owned(),
        credential: Credential::Token(Secret::new(TOKEN)),
        webhook_secrets: vec![Secret::new("first"), Secret::new("second")],
        poll: std::time::Duration::from_secs(60),
    }
}

pub(crate) fn client(server: &Server) -> std::sync::Arc<dyn Forge> {
    open(&settings(server), limits()).unwrap()
}

pub(crate) const KINDS: [ForgeKind; 3] = [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea];

/// A commit's name of one repeated digit.
pub(crate) fn sha(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}
