//! The digest is stored and compared across releases: its bytes never change by accident.

use super::world::vmnic;
use crate::plan::digest::digest;
use model::{Disruption, Operation, Step};

#[test]
fn equal_steps_give_the_digest_they_always_gave() {
    let up = Operation::NicUp { vmnic: vmnic(0) };
    let down = Operation::NicDown { vmnic: vmnic(0) };
    let steps = [Step { operation: up, inverse: vec![down], disruption: Disruption::None }];
    assert_eq!(digest(&[]).0, "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945");
    assert_eq!(digest(&steps).0, "7df586b1f79161565d6fcfffad9e21a7cbe7e24257ba34fb35de7a49c7a4bcfb");
}
