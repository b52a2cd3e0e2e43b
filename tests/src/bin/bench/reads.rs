//! How many esxcli calls the reading of a host takes.

use crate::figure::Figure;
use crate::network::{Shape, Stage, address, blank, document, read, realised};
use anyhow::ensure;
use engine::verify::compare_images;
use esxcli::Formatter;
use esxcli::observe::fingerprint_queries;
use simulator::Host;
use tests::host::observe;

/// The host of the figure.
const SHAPE: Shape = Shape { switches: 3, port_groups: 20, vmks: 4 };

fn count(number: usize) -> anyhow::Result<f64> {
    Ok(f64::from(u32::try_from(number)?))
}

/// Measures.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let wanted = read(&document(SHAPE, Stage::Before, |vmk| address(0, vmk)))?;
    let described = realised(&wanted, &blank(2 * SHAPE.switches)?)?;
    let mut host = Host::from_description(&described)?;
    let mut calls = |formatter| -> anyhow::Result<f64> {
        let (seen, calls) = observe(&mut host, formatter)?;
        let wrong = compare_images(&described, &seen);
        ensure!(wrong.is_empty(), "the host is read wrongly: {wrong:#?}");
        count(calls)
    };
    let what = "3 switches, 20 port groups, 4 adapters, 6 NICs";
    Ok(vec![
        Figure::new("calls_fingerprint", count(fingerprint_queries().len())?, "calls")
            .detail("nothing changed"),
        Figure::new("calls_full_observation", calls(Formatter::Json)?, "calls").detail(what),
        Figure::new("calls_full_observation_text", calls(Formatter::Text)?, "calls").detail(what),
    ])
}
