//! Drop-in `esxcli`: the host is the directory named by `POINTSMAN_SIM_HOST`. Under the name `auto-backup.sh` (a
//! link) it saves the configuration. Owns: the process boundary only; everything else is in the library.

use simulator::{AUTO_BACKUP, HostDir, Output};
use std::io::Write;
use std::process::ExitCode;

/// Names the host directory.
const HOST_VARIABLE: &str = "POINTSMAN_SIM_HOST";

fn run() -> Output {
    let fail = |text: String| Output { stdout: String::new(), stderr: format!("{text}\n"), exit_code: 2 };
    let Some(dir) = std::env::var_os(HOST_VARIABLE) else {
        return fail(format!("simulated esxcli: set {HOST_VARIABLE} to a host directory"));
    };
    let host = HostDir::new(dir);
    let mut argv = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = argv.next().unwrap_or_default();
    let result = if program.ends_with(AUTO_BACKUP) {
        host.run_auto_backup()
    } else {
        host.run_program(&argv.collect::<Vec<_>>())
    };
    result.unwrap_or_else(|error| fail(format!("simulated esxcli: {error}")))
}

fn main() -> ExitCode {
    let output = run();
    // A caller that went away is no reason to fail: the change is done.
    let _ = std::io::stdout().write_all(output.stdout.as_bytes());
    let _ = std::io::stderr().write_all(output.stderr.as_bytes());
    ExitCode::from(u8::try_from(output.exit_code).unwrap_or(1))
}
