//! Observations: newest rows and history.

use super::fixtures::{add_hosts, host, network};
use super::{assert_not_found, count, for_each_db, in_tx};
use crate::store::hosts;
use crate::store::observations::{self, RecordedObservation};
use model::{Known, ObservedNetwork, Wall};

async fn record(
    db: &crate::store::Db,
    name: &str,
    network: &ObservedNetwork,
    hash: &str,
    now: u64,
) -> RecordedObservation {
    in_tx!(db, tx => observations::record(&mut tx, &host(name), network, hash, Wall(now))).unwrap()
}

#[tokio::test]
async fn content_is_kept_once_and_history_tells_when_it_changed() {
    for_each_db(async |db| {
        add_hosts(&db, &["a", "b"]).await;
        assert_eq!(record(&db, "a", &network(10, 1), "h10", 100).await, RecordedObservation::Changed);
        assert_eq!(record(&db, "a", &network(10, 2), "h10", 200).await, RecordedObservation::Unchanged);
        let latest = observations::latest(&db, &host("a")).await.unwrap().unwrap();
        assert_eq!((latest.hash.as_str(), latest.observed_at), ("h10", Wall(200)));
        assert_eq!(latest.network, network(10, 2), "the time is that of the last arrival");
        assert_eq!(record(&db, "a", &network(20, 3), "h20", 300).await, RecordedObservation::Changed);
        assert_eq!(record(&db, "a", &network(10, 4), "h10", 400).await, RecordedObservation::Changed);
        assert_eq!(count(&db, "SELECT COUNT(*) FROM observation_documents").await, 2);
        let history = observations::history(&db, &host("a"), 10).await.unwrap();
        let turns: Vec<_> =
            history.iter().map(|e| (e.received_at.0, e.taken_at.0, e.hash.as_str())).collect();
        assert_eq!(turns, [(400, 4, "h10"), (300, 3, "h20"), (100, 1, "h10")]);
        let old = observations::document(&db, &host("a"), "h20").await.unwrap().unwrap();
        assert_eq!(old, network(20, 3));
        assert_eq!(observations::latest(&db, &host("b")).await.unwrap(), None);
        assert_eq!(observations::latest_page(&db, None, 10).await.unwrap().items.len(), 1);
        let facts = hosts::get(&db, &host("a")).await.unwrap().unwrap().facts.unwrap();
        assert_eq!(facts.version, "8.0.3");
    })
    .await;
}

#[tokio::test]
async fn the_newest_rows_can_be_queried_by_column() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        record(&db, "a", &network(10, 1), "h10", 100).await;
        record(&db, "a", &network(20, 2), "h20", 200).await;
        for text in [
            "SELECT COUNT(*) FROM vswitches WHERE name = 'vSwitch0' AND mtu = 1500 AND cdp = 'listen' AND uplinks = '[\"vmnic0\"]'",
            "SELECT COUNT(*) FROM port_groups WHERE vlan = 20 AND vswitch = 'vSwitch0' AND observed_at = 200",
            "SELECT COUNT(*) FROM vmkernels WHERE port_group = 'VM Network' AND distributed IS NULL AND enabled = TRUE
                AND mtu IS NULL AND ipv4_mode = 'static' AND ipv4_address = '10.0.0.7/24'",
            "SELECT COUNT(*) FROM physical_nics WHERE mac = '00:50:56:00:00:01' AND admin = 'up' AND speed_mbps = 10000",
            "SELECT COUNT(*) FROM netstacks WHERE default_gateway = '10.0.0.1' AND dns_servers = '[\"10.0.0.53\"]'",
        ] {
            assert_eq!(count(&db, text).await, 1, "{text}");
        }
        assert_eq!(count(&db, "SELECT COUNT(*) FROM port_groups").await, 1, "old rows are gone");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_read_keeps_its_rows() {
    for_each_db(async |db| {
        add_hosts(&db, &["a"]).await;
        record(&db, "a", &network(10, 1), "h10", 100).await;
        let mut partly = network(30, 2);
        partly.port_groups = Known::unreadable("hostd is down");
        partly.vswitches = Known::Read([].into());
        record(&db, "a", &partly, "partly", 200).await;
        assert_eq!(
            count(&db, "SELECT COUNT(*) FROM port_groups WHERE vlan = 10 AND observed_at = 100").await,
            1
        );
        assert_eq!(count(&db, "SELECT COUNT(*) FROM vswitches").await, 0);
        assert_eq!(observations::latest(&db, &host("a")).await.unwrap().unwrap().network, partly);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_host_is_refused() {
    for_each_db(async |db| {
        let stranger =
            in_tx!(db, tx => observations::record(&mut tx, &host("x"), &network(1, 1), "h", Wall(1)));
        assert_not_found(stranger);
    })
    .await;
}
