//! `pointsman-sim`: makes simulated hosts, runs the network between them and the coordinator, and lets a person
//! reboot a host, pull a cable or change something by hand. Owns: its command line; the work is in the library.

use simulator::fleet::{FleetRequest, make_hosts};
use simulator::{Host, HostDir, Output};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "pointsman-sim VERB OPTIONS

  make-hosts --root DIR --count N --group NAME [--version 8.0]
                              make N hosts below DIR, prints their names
  describe --host DIR         print the host description (JSON)
  from-description --host DIR --file FILE
                              make a host from a host description (JSON)
  fabric --root DIR --coordinator IP:PORT --ports-file FILE
                              one loopback port per host, forwarded to the coordinator while its network works
  auto-backup --host DIR      save the running configuration
  reboot --host DIR           boot from the saved configuration
  link --host DIR --vmnic NAME up|down
                              plug in or pull a cable
  reach --host DIR            say whether the management path works
  exec --host DIR -- ARGS     run esxcli by hand
";

type Failure = Box<dyn std::error::Error>;

/// Options of the form `--name value`, plain words, and what follows `--`.
struct Arguments {
    options: Vec<(String, String)>,
    words: Vec<String>,
    rest: Vec<String>,
}

impl Arguments {
    fn parse(argv: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut found = Self { options: Vec::new(), words: Vec::new(), rest: Vec::new() };
        let mut argv = argv;
        while let Some(word) = argv.next() {
            if word == "--" {
                found.rest = argv.collect();
                break;
            }
            match word.strip_prefix("--") {
                None => found.words.push(word),
                Some(name) => {
                    let (name, value) = match name.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (name.to_owned(), argv.next()),
                    };
                    let value = value.ok_or_else(|| format!("--{name} needs a value"))?;
                    found.options.push((name, value));
                }
            }
        }
        Ok(found)
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&str, Failure> {
        self.optional(name)
            .ok_or_else(|| format!("give --{name}; `pointsman-sim help` shows all options").into())
    }

    fn host(&self) -> Result<HostDir, Failure> {
        Ok(HostDir::new(PathBuf::from(self.required("host")?)))
    }
}

fn said(text: impl Into<String>) -> Output {
    Output { stdout: text.into(), ..Output::default() }
}

fn set_link(host: &HostDir, arguments: &Arguments) -> Result<Output, Failure> {
    let vmnic = arguments.required("vmnic")?;
    let up = match arguments.words.get(1).map(String::as_str) {
        Some("up") => true,
        Some("down") => false,
        _ => return Err("say up or down".into()),
    };
    let done = host.update(|host| match host.fabric.ports.get_mut(vmnic) {
        Some(port) => {
            port.link_up = up;
            true
        }
        None => false,
    })?;
    if done { Ok(said("")) } else { Err(format!("no physical port for {vmnic} in fabric.json").into()) }
}

fn run(arguments: &Arguments) -> Result<Output, Failure> {
    match arguments.words.first().map(String::as_str) {
        Some("make-hosts") => {
            let request = FleetRequest {
                count: arguments.required("count")?.parse()?,
                group: arguments.required("group")?.to_owned(),
                version: arguments.optional("version").unwrap_or("8.0").to_owned(),
            };
            let names = make_hosts(Path::new(arguments.required("root")?), &request)?;
            Ok(said(names.iter().map(|name| format!("{name}\n")).collect::<String>()))
        }
        Some("from-description") => {
            let description = serde_json::from_slice(&std::fs::read(arguments.required("file")?)?)?;
            arguments.host()?.create(&Host::from_description(&description)?)?;
            Ok(said(""))
        }
        Some("describe") => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            let taken_at = model::Wall(u64::try_from(now.as_millis())?);
            let description = arguments.host()?.load()?.describe(taken_at)?;
            Ok(said(format!("{}\n", serde_json::to_string_pretty(&description)?)))
        }
        Some("fabric") => {
            let coordinator: SocketAddr = arguments.required("coordinator")?.parse()?;
            let (root, ports) = (arguments.required("root")?, arguments.required("ports-file")?);
            simulator::forward::run(Path::new(root), coordinator, Path::new(ports))?;
            Ok(said(""))
        }
        Some("auto-backup") => {
            arguments.host()?.update(Host::auto_backup).map(|()| said("")).map_err(Into::into)
        }
        Some("reboot") => arguments.host()?.update(Host::reboot).map(|()| said("")).map_err(Into::into),
        Some("link") => set_link(&arguments.host()?, arguments),
        Some("reach") => {
            let host = arguments.host()?.load()?;
            Ok(said(format!("{:?}\n", simulator::fabric::management_reachable(&host, &host.fabric))))
        }
        Some("exec") => Ok(arguments.host()?.exec(&arguments.rest)?),
        Some("help") | None => Ok(said(HELP)),
        Some(verb) => Err(format!("no verb {verb}; `pointsman-sim help` shows all").into()),
    }
}

fn main() -> ExitCode {
    let output = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments));
    let output = output.unwrap_or_else(|error| Output {
        stdout: String::new(),
        stderr: format!("pointsman-sim: {error}\n"),
        exit_code: 1,
    });
    let _ = std::io::stdout().write_all(output.stdout.as_bytes());
    let _ = std::io::stderr().write_all(output.stderr.as_bytes());
    ExitCode::from(u8::try_from(output.exit_code).unwrap_or(1))
}
