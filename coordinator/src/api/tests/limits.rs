//! How much and how often: rates, denials that would bury the trail.

use super::{Rig, ask_as, audit, get};
use crate::api::denials::{Denials, OF_ONE_MAX};
use crate::api::rate::{Buckets, Rate};
use crate::api::tally::Decision;
use axum::body::Body;
use axum::http::{Method, Request};
use std::net::IpAddr;
use std::time::{Duration, Instant};

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let buckets = Buckets::new(Rate { per_sec: 2, burst: 3 }, 2);
    let start = Instant::now();
    let takes = |key: &str, ms: u64| buckets.take(key.to_owned(), start + Duration::from_millis(ms));
    assert_eq!([0; 4].map(|ms| takes("a", ms)), [true, true, true, false]);
    assert_eq!([499, 500, 501].map(|ms| takes("a", ms)), [false, true, false]);
    assert!(takes("b", 500), "others have their own");
    // Two keys are known and neither has rested: newcomers share one bucket.
    assert_eq!(["c", "d", "e", "f"].map(|key| takes(key, 500)), [true, true, true, false]);
    // Rested ones are forgotten, and make room.
    assert!(takes("f", 60_000) && takes("f", 60_000));
}

#[test]
fn a_flood_of_denials_is_counted_and_not_written() {
    let denials = Denials::default();
    let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
    let start = Instant::now();
    for _ in 0..OF_ONE_MAX {
        assert_eq!(denials.admit(one, start), Some(0));
    }
    assert_eq!([denials.admit(one, start), denials.admit(one, start)], [None, None]);
    assert_eq!(denials.admit(other, start), Some(2), "the next entry tells how many are missing");
    assert_eq!(denials.admit(one, start + Duration::from_secs(60)), Some(0), "a new span");
}

#[test]
fn guessing_tokens_fills_neither_the_trail_nor_the_budget_of_others() {
    let rig = Rig::new();
    for _ in 0..OF_ONE_MAX + 20 {
        let answer = ask_as(&rig, "guess", Method::GET, "hosts", Body::empty());
        assert_eq!(answer.status.as_u16(), 401);
    }
    assert_eq!(get(&rig, "audit/verify").body["entries"], OF_ONE_MAX);
    assert_eq!(audit(&rig, 1)[0][0], "nobody");
    assert_eq!(rig.parts().tally.of(Decision::Denied), u64::from(OF_ONE_MAX) + 20);
}

#[test]
fn signing_in_is_slowed_down_by_address() {
    let rig = Rig::new();
    let attempt = || {
        let request = Request::post("/api/v1/session").header("content-type", "application/json");
        super::send(&rig, request.body(Body::from("{}")).unwrap()).status.as_u16()
    };
    let answers: Vec<u16> = (0..25).map(|_| attempt()).collect();
    assert_eq!(answers[0], 400);
    assert_eq!(answers[24], 429, "{answers:?}");
    // Who is known is not held up by it.
    assert_eq!(get(&rig, "hosts").status.as_u16(), 200);
}
