//! `system`, `hardware` and `esxcli` namespaces: facts about the host and its commands.

use super::ALWAYS;
use crate::cli::args::Args;
use crate::cli::table::{self, Action, Command};
use crate::cli::value::{Condition, Document, ListView, Record, Value};
use crate::host::{Host, Release};
use crate::network::Fault;

const fn command(
    path: &'static str,
    help: &'static str,
    read: fn(&Host, &Args) -> Result<Document, Fault>,
) -> Command {
    Command { path, help, opts: &[], since: ALWAYS, action: Action::Read(read) }
}

/// The commands.
pub const COMMANDS: &[Command] = &[
    command("esxcli command list", "List all of the esxcli commands on the system.", commands),
    command("hardware platform get", "Get information about the platform", platform),
    command("system hostname get", "Get the host, domain or fully qualified name of the ESX host.", hostname),
    command(
        "system stats uptime get",
        "Display the number of microseconds the system has been running.",
        uptime,
    ),
    command("system uuid get", "Get the system UUID.", uuid),
    command("system version get", "Display the product name, version and build information.", version),
];

fn commands(host: &Host, _: &Args) -> Result<Document, Fault> {
    let mut paths: Vec<&str> =
        table::all().filter(|command| command.on(host)).map(|command| command.path).collect();
    paths.sort_unstable();
    let split = paths.iter().filter_map(|path| path.rsplit_once(' '));
    let records = split.map(|(space, verb)| {
        Record::new("CommandInfo").text("Namespace", space.replace(' ', ".")).text("Command", verb)
    });
    Ok(Document::List(ListView::Table, records.collect()))
}

fn platform(host: &Host, _: &Args) -> Result<Document, Fault> {
    let facts = &host.facts;
    let digits: String = facts.uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let words: Vec<String> =
        bytes.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).map(|byte| format!("{byte:#x}")).collect();
    let record = Record::new("PlatformGet")
        .text("UUID", words.join(" "))
        .text("Product Name", &facts.model)
        .text("Vendor Name", &facts.vendor)
        .text("Serial Number", &facts.serial)
        .text("Enclosure Serial Number", &facts.serial)
        .text("BIOS Asset Tag", "")
        .boolean("IPMI Supported", true);
    Ok(Document::Single(Some("Platform Information"), record))
}

fn hostname(host: &Host, _: &Args) -> Result<Document, Fault> {
    let (name, domain) = (&host.running.hostname, &host.running.domain);
    let full = if domain.is_empty() { name.clone() } else { format!("{name}.{domain}") };
    let record = Record::new("FullyQualifiedHostName")
        .text("Domain Name", domain)
        .text("Fully Qualified Domain Name", full)
        .text("Host Name", name);
    Ok(Document::Single(None, record))
}

fn uptime(host: &Host, _: &Args) -> Result<Document, Fault> {
    Ok(Document::Scalar(Value::Integer(i64::try_from(host.uptime_us()).unwrap_or(i64::MAX))))
}

fn uuid(host: &Host, _: &Args) -> Result<Document, Fault> {
    Ok(Document::Scalar(Value::Text(host.facts.uuid.clone())))
}

fn version(host: &Host, _: &Args) -> Result<Document, Fault> {
    let facts = &host.facts;
    let record = Record::new("SystemVersion")
        .text("Product", "VMware ESXi")
        .text("Version", &facts.version)
        .text("Build", format!("Releasebuild-{}", facts.build))
        .text("Update", facts.update.to_string())
        .when(Condition(facts.release() >= Release(9, 0)), |r| r.text("Maintenance", "0"))
        .text("Patch", facts.patch.to_string());
    Ok(Document::Single(None, record))
}
