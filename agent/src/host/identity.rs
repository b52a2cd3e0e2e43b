//! On which machine this is, before anything else is read. Called by enrolment.

use super::runner::Runner;
use crate::settings::Settings;
use esxcli::records::read_scalar;
use esxcli::{Formatter, Query, ReadCommand};

/// The system UUID in the first format that works; empty when the host does not tell.
#[must_use]
pub fn system_uuid(settings: &Settings) -> String {
    let query = Query::all(ReadCommand::SystemUuidGet);
    let runner = Runner::new(&settings.esxcli, &settings.extra_env);
    let ask = |formatter: Formatter| {
        let finished = runner.run(&query.argv(formatter).ok()?, settings.read_timeout).ok()?;
        let value = query.read(formatter, finished.exit_code, &finished.stdout, &finished.stderr).ok()?;
        read_scalar(query.command.path_str(), &value).ok().filter(|uuid| !uuid.is_empty())
    };
    Formatter::PROBED.into_iter().find_map(ask).unwrap_or_default()
}
