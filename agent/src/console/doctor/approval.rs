//! Whether this host can tell an approved order from another.

use super::{Check, Weight};
use crate::approval::pins::{read_order_key, read_set};
use crate::approval::{HOW_TO_PIN, chain};
use crate::console::words::time;
use crate::host::boot::Clock;
use crate::settings::Settings;
use model::ApprovalMode;

/// All checks of what is pinned.
pub(super) fn checks(settings: &Settings) -> Vec<Check> {
    vec![approvers(settings), order_key(settings)]
}

fn approvers(settings: &Settings) -> Check {
    const ID: &str = "approvers";
    const MEANING: &str = "with `approval = \"enforce\"` every order is refused until that is put right";
    if settings.approval == ApprovalMode::Off {
        return Check::information(ID, "not asked for: approval is off".to_owned());
    }
    let found = match read_set(&settings.state_dir) {
        Err(error) => Err(chain(&error)),
        Ok(None) => Err(format!("no approver set is pinned: {HOW_TO_PIN}")),
        Ok(Some(trusted)) => {
            let set = trusted.set();
            let (name, version, threshold) = (&set.name, set.version, set.threshold);
            let told = format!("`{name}` version {version}: {threshold} of {}", set.approvers.len());
            match set.not_after {
                Some(end) if end < Clock::new().now().wall => Err(format!("{told}, ended {}", time(end))),
                Some(end) => Ok(format!("{told}, until {}", time(end))),
                None => Ok(told),
            }
        }
    };
    Check::useful(ID, MEANING, found)
}

fn order_key(settings: &Settings) -> Check {
    const ID: &str = "order_key";
    const MEANING: &str = "orders are taken without the coordinator's own signature: enrol this host again";
    match read_order_key(&settings.state_dir) {
        Err(error) => Check::useful(ID, "every order is refused: enrol this host again", Err(chain(&error))),
        Ok(Some(_)) => Check::useful(ID, MEANING, Ok("pinned at enrolment".to_owned())),
        Ok(None) => Check::unknown(ID, Weight::Useful, MEANING, "none was given at enrolment".to_owned()),
    }
}
