//! Where verbs get observed hosts from: host description files, or the coordinator.
//!
//! Owns: reading them and naming the hosts of files. Called by `plan` and `import`.

use super::client::{Client, Remote};
use super::failure::CliError;
use super::progress;
use super::screen::Screen;
use crate::api::views::{HostView, ObservedView};
use engine::adopt::HostLabels;
use model::{HostGroupId, HostId, ObservedNetwork};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest host description file, in bytes (16 MiB).
const HOST_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// HTTP status of what is not there.
const NOT_FOUND: u16 = 404;

/// Observed hosts by name.
pub type Observed = BTreeMap<HostId, ObservedNetwork>;

/// Reads host description files. A host is named by its short host name, or by `host` when there is one file.
pub fn from_files(files: &[PathBuf], hosts: &[HostId]) -> Result<Observed, CliError> {
    let mut out = Observed::new();
    for path in files {
        let observed = read(path)?;
        let id = match (files.len(), hosts) {
            (1, [host]) => host.clone(),
            _ => named(path, &observed)?,
        };
        if !hosts.is_empty() && !hosts.contains(&id) {
            continue;
        }
        if out.insert(id.clone(), observed).is_some() {
            let message =
                format!("{} describes host `{id}`, which another file describes too", path.display());
            return Err(CliError::Usage(message));
        }
    }
    Ok(out)
}

fn read(path: &Path) -> Result<ObservedNetwork, CliError> {
    let size = fs::metadata(path).map_err(CliError::file("read", path))?.len();
    if size > HOST_FILE_BYTES_MAX {
        let message = format!("{} has {size} bytes, more than {HOST_FILE_BYTES_MAX}", path.display());
        return Err(CliError::Failed(message));
    }
    let text = fs::read_to_string(path).map_err(CliError::file("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| CliError::Failed(format!("{} is no host description: {error}", path.display())))
}

fn named(path: &Path, observed: &ObservedNetwork) -> Result<HostId, CliError> {
    let hostname = observed.facts.hostname.as_str();
    let short = hostname.split('.').next().unwrap_or_default();
    HostId::new(short).map_err(|_| {
        let message =
            format!("{} has the host name `{hostname}`, which names no host: give --host", path.display());
        CliError::Usage(message)
    })
}

/// Asks the coordinator for hosts, telling of each. A host it has not observed is left out.
pub fn from_coordinator<'a>(
    client: &Client,
    hosts: impl Iterator<Item = &'a HostId>,
    told: impl Fn(),
) -> Result<Observed, CliError> {
    let mut out = Observed::new();
    for host in hosts {
        match client.get::<ObservedView>(&format!("hosts/{host}/observed")) {
            Ok(view) => {
                out.insert(host.clone(), view.network);
            }
            Err(CliError::Refused { status: NOT_FOUND, .. }) => {}
            Err(error) => return Err(error),
        }
        told();
    }
    Ok(out)
}

/// Hosts for new groups, with the labels the coordinator knows of them: the named ones or all that are in no group but
/// `groups`, from files or else from the coordinator.
pub fn for_import(
    remote: &Remote,
    groups: &[HostGroupId],
    files: &[PathBuf],
    hosts: &[HostId],
    screen: &Screen<'_>,
) -> Result<(Observed, HostLabels), CliError> {
    if !files.is_empty() {
        return Ok((from_files(files, hosts)?, HostLabels::new()));
    }
    let client = remote.client()?;
    let mut known: Vec<HostView> = client.list("hosts")?;
    let named: Vec<HostId> = if hosts.is_empty() {
        known.retain(|host| host.group.as_ref().is_none_or(|home| groups.contains(home)));
        known.iter().map(|host| host.id.clone()).collect()
    } else {
        hosts.to_vec()
    };
    let bar = progress::bar(screen, named.len(), "reading hosts");
    let observed = from_coordinator(&client, named.iter(), || bar.inc(1))?;
    bar.finish_and_clear();
    let labels = known.into_iter().filter(|host| !host.labels.is_empty()).map(|host| (host.id, host.labels));
    Ok((observed, labels.collect()))
}
