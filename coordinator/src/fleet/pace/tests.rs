//! A bucket gives what it holds, and fills again.

use super::*;

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let start = Instant::now();
    let mut bucket = Bucket::new(10, 20, start);
    assert!((0..20).all(|_| bucket.take(1, start)));
    assert!(!bucket.take(1, start));
    let later = start + Duration::from_millis(250);
    assert!(bucket.take(2, later));
    assert!(!bucket.take(1, later), "2.5 came in, 2 are gone");
    let much_later = start + Duration::from_secs(3600);
    assert!(bucket.take(20, much_later));
    assert!(!bucket.take(1, much_later), "it holds no more than its capacity");
}

#[test]
fn a_refused_cost_is_not_taken() {
    let start = Instant::now();
    let mut bucket = Bucket::new(1, 4, start);
    assert!(!bucket.take(5, start));
    assert!(bucket.take(4, start));
}
