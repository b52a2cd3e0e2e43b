//! `approvers pin` and `approvers show`: whom this host believes when a change is said to be approved.
//!
//! Must not: judge an order. A running agent is told, so that it reads the new set at once.

use super::client::{AskError, ask};
use super::exit::Code;
use super::local::record_local_action;
use super::verbs::{Form, person, print_answer, recorded, say};
use super::wire::Request;
use super::words::time;
use crate::approval::HOW_TO_PIN;
use crate::approval::pins::{Replace, pin_file, read_set};
use crate::host::boot::Clock;
use crate::settings::Settings;
use engine::proof::TrustedSet;
use model::LocalVerb;
use std::fmt::Write;
use std::path::Path;

/// `approvers pin`.
pub fn pin(settings: &Settings, file: &Path, replace: Replace) -> anyhow::Result<Code> {
    let set = pin_file(&settings.state_dir, file, replace)?;
    say(words(&set));
    let told = format!("{}: version {} of `{}`", person(), set.set().version, set.set().name);
    match ask(&settings.socket, &Request::ApproversPinned { told: told.clone() }) {
        Err(AskError::NoAgent) => {
            let at = Clock::new().now().wall;
            recorded(record_local_action(settings, LocalVerb::PinApprovers, &told, at));
            Ok(Code::Fine)
        }
        other => print_answer(other?),
    }
}

/// `approvers show`.
pub fn show(settings: &Settings, form: Form) -> anyhow::Result<Code> {
    match read_set(&settings.state_dir)? {
        Some(set) => form.print(set.set(), || words(&set))?,
        None => form.print(&None::<()>, || format!("no approver set is pinned: {HOW_TO_PIN}"))?,
    }
    Ok(Code::Fine)
}

/// The set for a person, with the fingerprints that `ssh-keygen -l` shows.
fn words(trusted: &TrustedSet) -> String {
    let set = trusted.set();
    // Writing to a String cannot fail.
    let mut text = String::new();
    let _ = writeln!(
        text,
        "approver set `{}` version {}: {} approvals are needed",
        set.name, set.version, set.threshold
    );
    if let Some(repository) = &set.repository {
        let _ = writeln!(text, "for releases of {repository}");
    }
    if let Some(end) = set.not_after {
        let _ = writeln!(text, "proves nothing after {}", time(end));
    }
    for (number, (person, key)) in trusted.keys().enumerate() {
        let emergency = if number >= set.approvers.len() { "  (only in an emergency)" } else { "" };
        let _ = writeln!(text, "  {:<24} {}{emergency}", person.name, key.fingerprint());
    }
    if set.break_glass_threshold > 0 {
        let _ = writeln!(text, "in an emergency {} of these keys", set.break_glass_threshold);
    }
    text
}
