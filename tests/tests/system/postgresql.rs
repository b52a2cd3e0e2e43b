//! A database of its own on a PostgreSQL server, for the tests that want one.
//!
//! The server comes from POINTSMAN_TEST_PG_URL. Without it such a test is skipped; in CI that is a failure.

use std::process::Command;

/// The server, if there is one.
pub fn server() -> Option<String> {
    let server = std::env::var("POINTSMAN_TEST_PG_URL").ok();
    if server.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "PostgreSQL is needed in CI: set POINTSMAN_TEST_PG_URL or run cargo xtask test"
        );
        println!("skipped: PostgreSQL (set POINTSMAN_TEST_PG_URL or run cargo xtask test)");
    }
    server
}

/// The URL of another database on the same server.
pub fn database_url(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let scheme = address.find("://").map_or(0, |at| at + 3);
    let authority = address[scheme..].find('/').map_or(address.len(), |at| scheme + at);
    format!("{}/{name}?{parameters}", &address[..authority])
}

/// Runs a statement with `psql`. Without that program the test uses the server's own database, which it then owns: no
/// other test does.
pub fn on_server(server: &str, statement: &str) -> bool {
    let psql = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--no-password", "--dbname", server, "--command", statement])
        .output();
    match psql {
        Err(error) => {
            println!("psql cannot be run ({error}): using the database of the URL itself");
            false
        }
        Ok(ended) => {
            assert!(ended.status.success(), "{statement}: {}", String::from_utf8_lossy(&ended.stderr));
            true
        }
    }
}
