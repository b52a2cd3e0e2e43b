//! The host's own programs: esxcli, saving of the configuration, watchdog, a ping.

use super::{Check, Weight};
use crate::host::boot::{Clock, boot_id, boot_id_source};
use crate::host::observe::{Depth, Observer};
use crate::host::runner::Runner;
use crate::settings::Settings;
use model::{ObservedNetwork, RouteNetwork};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Where the host's watchdog is.
const WATCHDOGS: [&str; 2] = ["/sbin/watchdog.sh", "/bin/watchdog.sh"];
/// Longest time of one ping call.
const PING_LIMIT: Duration = Duration::from_secs(15);

/// All checks of the host.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    let clock = Clock::new();
    let boot = boot_id(settings.boot_id_file.as_deref(), &clock);
    let mut observer = Observer::new(settings);
    let (observed, calls) = observer.observe(Depth::Full, &boot, clock.now().wall);
    let format = observer.chosen_formatter().map_or("no format", esxcli::Formatter::as_str);
    let read = match &observed {
        Ok(found) => Ok(format!("{} {}, {calls} calls, {format}", found.facts.hostname, found.facts.version)),
        Err(error) => Err(error.to_string()),
    };
    let source = boot_id_source(settings.boot_id_file.as_deref());
    vec![
        Check::essential(
            "esxcli",
            "the host can be neither read nor changed: check `esxcli` in the settings",
            read,
        ),
        Check::information("boot_id", format!("{} from {source}", boot.0)),
        Check::useful(
            "auto_backup",
            "a confirmed change would not survive a reboot: check `auto_backup` in the settings",
            executable(&settings.auto_backup),
        ),
        watchdog(),
        gateway(settings, observed.as_ref().ok()),
    ]
}

fn executable(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let found = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    if found.is_file() && found.permissions().mode() & 0o111 != 0 {
        Ok(shown.to_string())
    } else {
        Err(format!("{shown} is not an executable file"))
    }
}

fn watchdog() -> Check {
    let found = WATCHDOGS.into_iter().map(|path| executable(Path::new(path)));
    let best = found.reduce(|best, next| best.or(next)).unwrap_or_else(|| Err("not looked for".to_owned()));
    Check::useful("watchdog", "nobody starts the guard again when it is killed", best)
}

fn gateway(settings: &Settings, observed: Option<&ObservedNetwork>) -> Check {
    const ID: &str = "gateway_ping";
    const MEANING: &str = "the first hop of the management network does not answer, or the host cannot ping";
    let unknown = |detail: &str| Check::unknown(ID, Weight::Useful, MEANING, detail.to_owned());
    let Some(observed) = observed else { return unknown("the host could not be read") };
    let Some(gateway) = default_gateway(observed) else { return unknown("no default gateway was found") };
    let argv = ["network", "diag", "ping", "--count=2", "--wait=1"].map(str::to_owned);
    let argv: Vec<String> = argv.into_iter().chain([format!("--host={gateway}")]).collect();
    let runner = Runner::new(&settings.esxcli, &settings.extra_env);
    match runner.run(&argv, PING_LIMIT) {
        Err(error) => Check::useful(ID, MEANING, Err(error.chain())),
        Ok(finished) => match received(&finished.stdout) {
            Some(0) => Check::useful(ID, MEANING, Err(format!("{gateway} does not answer"))),
            Some(count) => Check::useful(ID, MEANING, Ok(format!("{gateway} answered {count} of 2"))),
            None => {
                let said = format!("{} {}", finished.stdout.trim(), finished.stderr.trim());
                unknown(&format!("the answer cannot be read: {}", said.trim()))
            }
        },
    }
}

/// The answers that came, by the summary; the label is misspelt on the releases we know.
pub(super) fn received(printed: &str) -> Option<u32> {
    let value = |line: &str| {
        let (label, value) = line.trim().split_once(':')?;
        ["Recieved", "Received"].contains(&label.trim()).then(|| value.trim().parse().ok()).flatten()
    };
    printed.lines().find_map(value)
}

fn default_gateway(observed: &ObservedNetwork) -> Option<Ipv4Addr> {
    let vmk = observed.management_vmk.read()?.as_ref()?;
    let adapter = observed.vmkernels.read()?.get(vmk)?;
    let stack = observed.netstacks.read()?.get(&adapter.netstack)?;
    let routes = stack.routes.read()?;
    routes.iter().find(|route| route.network == RouteNetwork::Default).and_then(|route| route.gateway)
}
