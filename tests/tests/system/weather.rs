//! Bad weather between a host and the coordinator: delay, lost bytes, closed connections, while a change is open.

use crate::proxy::{Weather, behind_proxy};
use crate::support::*;
use simulator::faults::{FaultAction, FaultRule};

/// A step of the story that takes long enough for the weather to change.
const SLOW: &str = "network vswitch standard portgroup set";
const SLOW_MS: u64 = 4_000;

#[test]
fn a_change_in_bad_weather_is_kept_or_undone_and_the_truth_is_told() {
    in_lab(2, |lab| {
        let names = bring_up(lab)?;
        let canary = names[0].as_str();
        let proxy = behind_proxy(lab, canary)?;
        wait_connected(lab, names.len())?;

        // Late is not lost.
        proxy.set(Weather::Slow);
        let change = merge(lab, &attempt(1, "211"), &[])?;
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        proxy.set(Weather::Clear);

        // Half open from the middle of the change on: old connections stand, and prove nothing.
        let before = image(lab, canary)?;
        set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
        let known = writes(lab, canary)?.len();
        let change = merge(lab, &attempt(2, "212"), &[])?;
        wait_write(lab, canary, SLOW, known)?;
        proxy.set(Weather::Silent);
        // The way back sets the VLAN again.
        wait_write(lab, canary, SLOW, writes(lab, canary)?.len())?;
        proxy.set(Weather::Clear);
        let rollout = wait_ended(lab, &change)?;
        assert_eq!((rollout.phase.as_str(), rollout.word(canary)), ("halted", "rolled_back"), "{rollout:#?}");
        assert!(rollout.told(canary).contains("not confirmed within"), "{rollout:#?}");
        assert_eq!(image(lab, canary)?, before, "the canary is as before");
        set_faults(lab, canary, Vec::new())?;

        // Closed for a while, open again within the window: the question is asked again, and the change stays.
        set_faults(lab, canary, vec![FaultRule::first(SLOW, FaultAction::Slow { ms: SLOW_MS })])?;
        let known = writes(lab, canary)?.len();
        let saved = saves(lab, canary)?;
        let change = merge(lab, &attempt(3, "213"), &[])?;
        wait_write(lab, canary, SLOW, known)?;
        proxy.set(Weather::Closed);
        tests::lab::wait_for(LIMIT, "the canary to wait for its confirmation", || {
            let phase = lab.agents.status(canary)?["phase"].clone();
            Ok((phase == "awaiting_confirm").then_some(()))
        })?;
        assert_eq!(saves(lab, canary)?, saved, "nothing is saved before it is confirmed");
        proxy.set(Weather::Clear);
        assert_eq!(wait_ended(lab, &change)?.phase, "completed");
        Ok(())
    });
}
