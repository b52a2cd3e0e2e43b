//! Planning one large host: a change of several objects, and everything from a blank host.

use crate::figure::Figure;
use crate::network::{Shape, Stage, address, blank, document, read, realised};
use anyhow::ensure;
use engine::plan::{Planned, plan};
use model::{DesiredNetwork, ObservedNetwork};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The host of the promise.
const SHAPE: Shape = Shape { switches: 8, port_groups: 60, vmks: 8 };
/// Runs before measuring, so that caches are warm.
const WARM_UP: usize = 50;
/// Measured runs; the median counts.
const RUNS: usize = 1001;
/// The promise for one plan, in microseconds.
const TARGET_US: f64 = 200.0;

/// Median time of a plan.
fn median(wanted: &DesiredNetwork, host: &ObservedNetwork) -> Duration {
    for _ in 0..WARM_UP {
        black_box(plan(black_box(wanted), black_box(host)));
    }
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            let planned = plan(black_box(wanted), black_box(host));
            let took = started.elapsed();
            drop(black_box(planned));
            took
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn checked(wanted: &DesiredNetwork, host: &ObservedNetwork, steps_min: usize) -> anyhow::Result<Planned> {
    let planned = plan(wanted, host);
    ensure!(!planned.is_refused(), "the scenario is refused: {:#?}", planned.findings);
    ensure!(
        planned.plan.steps.len() >= steps_min,
        "the scenario has only {} steps",
        planned.plan.steps.len()
    );
    Ok(planned)
}

/// Measures.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let bare = blank(2 * SHAPE.switches + 1)?;
    let text = |stage| document(SHAPE, stage, |vmk| address(0, vmk));
    let (before, after) = (read(&text(Stage::Before))?, read(&text(Stage::After))?);
    let host = realised(&before, &bare)?;
    let small = checked(&after, &host, 10)?;
    let large = checked(&after, &bare, 100)?;
    let figure = |name, wanted, host, planned: &Planned| {
        let micros = median(wanted, host).as_secs_f64() * 1e6;
        Figure::new(name, (micros * 10.0).round() / 10.0, "us")
            .detail(format!("8 switches, 60 port groups, 8 adapters, {} steps", planned.plan.steps.len()))
    };
    Ok(vec![
        figure("plan_one_host", &after, &host, &small).at_most(TARGET_US),
        figure("plan_one_host_no_change", &before, &host, &plan(&before, &host)),
        figure("plan_one_host_from_scratch", &after, &bare, &large),
    ])
}
