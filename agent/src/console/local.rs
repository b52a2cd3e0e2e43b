//! What people did at the console, for the record.

use model::Wall;

/// Every freeze, pin, release and rollback at the console comes through here.
pub fn record_local_action(verb: &str, reason: &str, at: Wall) {
    tracing::warn!(verb, reason, at = at.0, "action at the console");
}
