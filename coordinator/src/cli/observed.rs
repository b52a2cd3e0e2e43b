//! Where verbs get observed hosts from: host description files, or the coordinator.
//!
//! Owns: reading them and naming the hosts of files. Called by `plan` and `import`.

use super::client::{Client, Remote};
use super::failure::CliError;
use crate::api::views::{HostView, ObservedView};
use model::{HostId, ObservedNetwork};
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

/// Asks the coordinator for hosts. A host it has not observed is left out.
pub fn from_coordinator<'a>(
    client: &Client,
    hosts: impl Iterator<Item = &'a HostId>,
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
    }
    Ok(out)
}

/// Hosts for a new group: the named ones or all in no other group, from files or else from the coordinator.
pub fn for_import(
    remote: &Remote,
    group: &model::HostGroupId,
    files: &[PathBuf],
    hosts: &[HostId],
) -> Result<Observed, CliError> {
    if !files.is_empty() {
        return from_files(files, hosts);
    }
    let client = remote.client()?;
    if !hosts.is_empty() {
        return from_coordinator(&client, hosts.iter());
    }
    let known: Vec<HostView> = client.list("hosts")?;
    let ours = known.iter().filter(|host| host.group.as_ref().is_none_or(|home| home == group));
    from_coordinator(&client, ours.map(|host| &host.id))
}
