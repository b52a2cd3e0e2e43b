//! `Probing`: the network around the host must answer as it did before the change.
//!
//! Pings that passed before the first step are asked again after the last one; links that were up and carry a switch
//! must be up. Unknown is not a pass. What does not answer is asked again until the deadline.

use super::state::{Probing, ProbingStage, after};
use super::{ApplyMachine, Effect, EventKind, Open, State, Turn, reject};
use model::{ChangeId, Millis, Now, Probe, ProbeResult};

/// Time between two rounds.
const PROBE_PAUSE: Millis = Millis(2_000);

impl ApplyMachine {
    /// Asks the network, or goes on when there is nothing to ask.
    pub(super) fn start_probing(&mut self, open: Box<Open>, now: Now) -> Turn {
        if open.transaction.probes.is_empty() {
            return self.ask(open, 1, now);
        }
        self.probe(open, String::new())
    }

    fn probe(&mut self, open: Box<Open>, lacking: String) -> Turn {
        let token = self.token();
        let probes = open.transaction.probes.clone();
        let stage = ProbingStage::Asking { token };
        (State::Probing(Probing { open, lacking, stage }), vec![Effect::Probe { token, probes }])
    }

    /// The verdicts are in.
    pub(super) fn probed(
        &mut self,
        mut at: Probing,
        token: u32,
        results: Vec<ProbeResult>,
        now: Now,
    ) -> Turn {
        if (at.stage != ProbingStage::Asking { token }) {
            return reject(State::Probing(at), EventKind::Probed);
        }
        at.open.calls = at.open.calls.saturating_add(u32::try_from(results.len()).unwrap_or(u32::MAX));
        match lacking(&at.open, &results) {
            None => self.ask(at.open, 1, now),
            Some(lacking) => {
                at.lacking = lacking;
                if self.late(&mut at, now) {
                    return self.roll_back(at.open);
                }
                at.stage = ProbingStage::Waiting { until: after(now, PROBE_PAUSE) };
                (State::Probing(at), Vec::new())
            }
        }
    }

    pub(super) fn tick_probing(&mut self, mut at: Probing, now: Now) -> Turn {
        if self.late(&mut at, now) {
            return self.roll_back(at.open);
        }
        match at.stage {
            ProbingStage::Waiting { until } if now.uptime >= until => self.probe(at.open, at.lacking),
            ProbingStage::Waiting { .. } | ProbingStage::Asking { .. } => (State::Probing(at), Vec::new()),
        }
    }

    /// The reason to go back names what did not answer.
    fn late(&self, at: &mut Probing, now: Now) -> bool {
        if at.open.deadline.passed(now) && !at.lacking.is_empty() {
            let reason = format!("the network does not answer as before the change: {}", at.lacking);
            at.open.abort(reason);
        }
        at.open.abort_when_late(now);
        at.open.abort.is_some()
    }

    pub(super) fn cancel_probing(&mut self, mut at: Probing, change: &ChangeId, reason: String) -> Turn {
        if at.open.order().change != *change {
            return reject(State::Probing(at), EventKind::CancelRequested);
        }
        at.open.abort(reason);
        self.roll_back(at.open)
    }
}

/// The probes that passed.
pub(super) fn passed(results: Vec<ProbeResult>) -> Vec<Probe> {
    results.into_iter().filter(|result| result.verdict.passed()).map(|result| result.probe).collect()
}

/// What is missing, in words; none when enough probes passed.
fn lacking(open: &Open, results: &[ProbeResult]) -> Option<String> {
    let wanted = &open.transaction.probes;
    let need = open.order().probes.need.and_then(|need| usize::try_from(need).ok());
    let need = need.map_or(wanted.len(), |need| need.min(wanted.len()));
    let verdict = |probe: &Probe| results.iter().find(|result| result.probe == *probe);
    let fails: Vec<String> = wanted
        .iter()
        .filter_map(|probe| match verdict(probe) {
            Some(result) if result.verdict.passed() => None,
            Some(result) => Some(result.to_string()),
            None => Some(format!("{}: not asked", probe.name)),
        })
        .collect();
    let passed = wanted.len().saturating_sub(fails.len());
    (passed < need)
        .then(|| format!("{passed} of {} probes pass, {need} must: {}", wanted.len(), fails.join("; ")))
}
