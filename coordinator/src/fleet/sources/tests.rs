//! One address cannot fill the door for others, and is forgotten when it has left.

use super::*;

#[test]
fn an_address_has_its_share_and_no_more() {
    let sources = Sources::new(2, 1);
    let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let first = sources.arrive(one).unwrap();
    let second = sources.arrive(one).unwrap();
    assert!(sources.arrive(one).is_none());
    assert!(sources.arrive(other).is_some(), "another address has its own share");
    assert!(Arc::ptr_eq(&first.handshakes, &second.handshakes));
    drop(first);
    assert!(sources.arrive(one).is_some());
    drop(second);
    assert!(sources.at_door().is_empty(), "nothing is kept of those who left");
}
