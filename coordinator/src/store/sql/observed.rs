//! Statements on observations and the newest rows per network object. See the rules in `sql`.

use super::Bulk;

statements! {
    /// Notes the arrival, locks the host's row, and tells which content was the newest until now.
    OBSERVATION_ARRIVED = "UPDATE hosts SET observed_at = $2, observation_taken_at = $3 WHERE id = $1
        RETURNING observation_hash";
    OBSERVATION_NEWEST = "UPDATE hosts SET observation_hash = $2, facts = $3 WHERE id = $1";
    OBSERVATION_DOCUMENT_ADD = "INSERT INTO observation_documents (host_id, hash, document) VALUES ($1, $2, $3)
        ON CONFLICT (host_id, hash) DO NOTHING";
    OBSERVATION_ADD = "INSERT INTO observations (host_id, received_at, hash, taken_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (host_id, received_at) DO UPDATE SET hash = excluded.hash, taken_at = excluded.taken_at";
    OBSERVATION_LATEST = "SELECT h.id, h.observation_hash, h.observation_taken_at, h.observed_at, d.document
        FROM hosts h JOIN observation_documents d ON d.host_id = h.id AND d.hash = h.observation_hash
        WHERE h.id = $1";
    OBSERVATIONS_LATEST_PAGE = "SELECT h.id, h.observation_hash, h.observation_taken_at, h.observed_at, d.document
        FROM hosts h JOIN observation_documents d ON d.host_id = h.id AND d.hash = h.observation_hash
        WHERE h.id > $1 ORDER BY h.id LIMIT $2";
    OBSERVATION_HISTORY = "SELECT received_at, hash, taken_at FROM observations
        WHERE host_id = $1 ORDER BY received_at DESC LIMIT $2";
    OBSERVATION_DOCUMENT = "SELECT document FROM observation_documents WHERE host_id = $1 AND hash = $2";

    /// Older ones of a host that has a newer one.
    OBSERVATIONS_EXPIRE = "DELETE FROM observations WHERE (host_id, received_at) IN (
        SELECT o.host_id, o.received_at FROM observations o
        WHERE o.received_at < $1 AND EXISTS (
            SELECT 1 FROM observations n WHERE n.host_id = o.host_id AND n.received_at > o.received_at)
        LIMIT $2)";
    /// All but the newest so many of each host.
    OBSERVATIONS_THIN = "DELETE FROM observations WHERE (host_id, received_at) IN (
        SELECT o.host_id, o.received_at FROM (
            SELECT host_id, received_at,
                ROW_NUMBER() OVER (PARTITION BY host_id ORDER BY received_at DESC) AS place
            FROM observations) o
        WHERE o.place > $1 LIMIT $2)";
    OBSERVATION_DOCUMENTS_UNUSED = "DELETE FROM observation_documents WHERE (host_id, hash) IN (
        SELECT d.host_id, d.hash FROM observation_documents d
        WHERE NOT EXISTS (SELECT 1 FROM observations o WHERE o.host_id = d.host_id AND o.hash = d.hash)
            AND NOT EXISTS (SELECT 1 FROM hosts h WHERE h.id = d.host_id AND h.observation_hash = d.hash)
        LIMIT $1)";

    VSWITCHES_CLEAR = "DELETE FROM vswitches WHERE host_id = $1";
    PORT_GROUPS_CLEAR = "DELETE FROM port_groups WHERE host_id = $1";
    VMKERNELS_CLEAR = "DELETE FROM vmkernels WHERE host_id = $1";
    PHYSICAL_NICS_CLEAR = "DELETE FROM physical_nics WHERE host_id = $1";
    NETSTACKS_CLEAR = "DELETE FROM netstacks WHERE host_id = $1";
}

bulk_statements! {
    VSWITCHES_ADD =
        "INSERT INTO vswitches (host_id, name, mtu, cdp, uplinks, document, observed_at) VALUES",
        "(#, #, #, #, #, #, #)", "";
    PORT_GROUPS_ADD =
        "INSERT INTO port_groups (host_id, name, vswitch, vlan, active_clients, document, observed_at) VALUES",
        "(#, #, #, #, #, #, #)", "";
    VMKERNELS_ADD =
        "INSERT INTO vmkernels (host_id, name, port_group, distributed, netstack, enabled, mac, mtu, ipv4_mode,
            ipv4_address, services, document, observed_at) VALUES",
        "(#, #, #, #, #, #, #, #, #, #, #, #, #)", "";
    PHYSICAL_NICS_ADD =
        "INSERT INTO physical_nics (host_id, name, driver, pci, mac, admin, link, speed_mbps, document, observed_at)
            VALUES",
        "(#, #, #, #, #, #, #, #, #, #)", "";
    NETSTACKS_ADD =
        "INSERT INTO netstacks (host_id, name, default_gateway, dns_servers, document, observed_at) VALUES",
        "(#, #, #, #, #, #)", "";
}
