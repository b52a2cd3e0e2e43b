//! One operation on the host: spell it, run it, say how it ended; and saving the host's configuration. Must not judge the state after it.

use super::runner::Runner;
use engine::apply::StepResult;
use esxcli::{FailureKind, classify};
use model::Operation;
use std::time::Duration;

/// Runs one operation; blocks for at most `timeout`.
#[must_use]
pub fn run_operation(runner: &Runner, operation: &Operation, timeout: Duration) -> StepResult {
    let argv = match esxcli::argv(operation) {
        Ok(argv) => argv,
        Err(error) => return StepResult::Failed { detail: error.to_string() },
    };
    let call = esxcli::display(&argv);
    tracing::debug!(call, "esxcli");
    let finished = match runner.run(&argv, timeout) {
        Ok(finished) => finished,
        Err(error) => return StepResult::Failed { detail: format!("{call}: {}", error.chain()) },
    };
    let Some(failure) = classify(finished.exit_code, &finished.stdout, &finished.stderr) else {
        return StepResult::Done;
    };
    let detail = format!("{call}: {failure}");
    match failure.kind {
        FailureKind::AlreadySo => StepResult::AlreadySo { detail },
        FailureKind::NotFound if operation.removes() => StepResult::AlreadySo { detail },
        _ => StepResult::Failed { detail },
    }
}

/// Saves the host's configuration, so that it survives a reboot; blocks for at most `timeout`.
pub fn save(auto_backup: &Runner, timeout: Duration) -> Result<(), String> {
    let finished = auto_backup.run(&[], timeout).map_err(|error| error.chain())?;
    match finished.exit_code {
        Some(0) => Ok(()),
        code => {
            let said = format!("{} {}", finished.stdout.trim(), finished.stderr.trim());
            Err(format!("exit status {code:?}: {}", said.trim()))
        }
    }
}
