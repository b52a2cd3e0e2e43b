//! Statements on hosts, groups, meta and leases. See the rules in `sql`.

use super::Bulk;

statements! {
    META_GET = "SELECT value FROM meta WHERE key = $1";
    META_SET = "INSERT INTO meta (key, value, updated_at) VALUES ($1, $2, $3)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";

    LEASE_GET = "SELECT holder, epoch, expires_at FROM leases WHERE name = $1";
    LEASE_FIRST = "INSERT INTO leases (name, holder, epoch, expires_at) VALUES ($1, $2, 1, $3)
        ON CONFLICT (name) DO NOTHING RETURNING epoch";
    /// Compare-and-set on what was seen: a renewal in between wins.
    LEASE_TAKE = "UPDATE leases SET holder = $2, expires_at = $3, epoch = epoch + 1
        WHERE name = $1 AND epoch = $4 AND expires_at = $5 RETURNING epoch";
    LEASE_RENEW = "UPDATE leases SET expires_at = $3 WHERE name = $1 AND epoch = $2 RETURNING epoch";
    /// The row stays, expired: the epoch must never fall.
    LEASE_RELEASE = "UPDATE leases SET expires_at = 0 WHERE name = $1 AND epoch = $2";
    /// Changes nothing, but locks the row: until the unit of work ends nobody can take the lease.
    LEASE_FENCE = "UPDATE leases SET epoch = epoch WHERE name = $1 AND epoch = $2 RETURNING epoch";

    GROUP_STUB = "INSERT INTO groups (id, document, listed, updated_at) VALUES ($1, NULL, FALSE, $2)
        ON CONFLICT (id) DO NOTHING";
    GROUPS_LIST = "SELECT id, document, listed, updated_at FROM groups ORDER BY id";
    GROUPS_LISTED_IDS = "SELECT id FROM groups WHERE listed = TRUE ORDER BY id";
    GROUP_UNLIST = "UPDATE groups SET listed = FALSE, updated_at = $2 WHERE id = $1";
    GROUP_UPSERT = "INSERT INTO groups (id, document, listed, updated_at) VALUES ($1, $2, TRUE, $3)
        ON CONFLICT (id) DO UPDATE SET document = excluded.document, listed = TRUE, updated_at = excluded.updated_at
        WHERE groups.listed = FALSE OR groups.document IS NULL OR groups.document <> excluded.document";

    HOSTS_LISTED_IDS = "SELECT id FROM hosts WHERE listed = TRUE ORDER BY id";
    HOST_GET = "SELECT id, group_id, labels, status, listed, generation_allocated, generation_committed,
            committed_change, committed_rfc, committed_at, enrolled_at, last_seen_at, agent_version, boot_id, facts,
            observation_hash, observed_at
        FROM hosts WHERE id = $1";
    /// Pages by id; a parameter that is NULL does not filter.
    HOSTS_LIST = "SELECT id, group_id, labels, status, listed, generation_allocated, generation_committed,
            committed_change, committed_rfc, committed_at, enrolled_at, last_seen_at, agent_version, boot_id, facts,
            observation_hash, observed_at
        FROM hosts
        WHERE id > $1
            AND (CAST($2 AS TEXT) IS NULL OR group_id = CAST($2 AS TEXT))
            AND (CAST($3 AS TEXT) IS NULL OR status = CAST($3 AS TEXT))
        ORDER BY id LIMIT $4";
    HOST_NOTE_AGENT = "UPDATE hosts SET agent_version = $2, boot_id = $3, last_seen_at = $4 WHERE id = $1";
    /// A host may hold more than we gave out, e.g. after our database came back from a backup.
    HOST_NOTE_HELD = "UPDATE hosts SET generation_allocated = $2 WHERE id = $1 AND generation_allocated < $2";
    HOST_NOTE_REPORTED = "UPDATE hosts SET generation_reported = $2 WHERE id = $1";
    /// A committed order was undone at the console: the host has what it had before that order.
    HOST_UNDONE = "UPDATE hosts SET generation_reported = (SELECT parent FROM release_leaves
                WHERE release_leaves.change_id = $2 AND release_leaves.host_id = $1)
        WHERE id = $1 AND generation_reported = $3
            AND EXISTS (SELECT 1 FROM release_leaves WHERE release_leaves.change_id = $2 AND release_leaves.host_id = $1)";
    /// Takes what should be from the plan: there is one truth.
    HOST_COMMIT = "UPDATE hosts SET
            generation_committed = $3,
            committed_change = $2,
            committed_rfc = (SELECT rfc FROM changes WHERE changes.id = $2),
            committed_desired = (SELECT desired FROM plans
                WHERE plans.change_id = $2 AND plans.host_id = $1 AND plans.generation = $3),
            committed_at = $4,
            generation_reported = $3
        WHERE id = $1 AND generation_committed < $3
            AND EXISTS (SELECT 1 FROM plans WHERE plans.change_id = $2 AND plans.host_id = $1 AND plans.generation = $3)";
    /// Back to the newest order before this one that still counts as committed; to nothing when there is none.
    HOST_FALL_BACK = "UPDATE hosts SET
            generation_committed = COALESCE((SELECT MAX(o.generation) FROM host_outcomes o
                WHERE o.host_id = hosts.id AND o.kind = 'committed' AND o.generation < $2), 0),
            committed_change = (SELECT o.change_id FROM host_outcomes o
                WHERE o.host_id = hosts.id AND o.kind = 'committed' AND o.generation < $2
                ORDER BY o.generation DESC LIMIT 1),
            committed_rfc = (SELECT c.rfc FROM host_outcomes o JOIN changes c ON c.id = o.change_id
                WHERE o.host_id = hosts.id AND o.kind = 'committed' AND o.generation < $2
                ORDER BY o.generation DESC LIMIT 1),
            committed_desired = (SELECT p.desired FROM host_outcomes o JOIN plans p
                ON p.change_id = o.change_id AND p.host_id = o.host_id AND p.generation = o.generation
                WHERE o.host_id = hosts.id AND o.kind = 'committed' AND o.generation < $2
                ORDER BY o.generation DESC LIMIT 1),
            committed_at = (SELECT o.received_at FROM host_outcomes o
                WHERE o.host_id = hosts.id AND o.kind = 'committed' AND o.generation < $2
                ORDER BY o.generation DESC LIMIT 1)
        WHERE id = $1 AND generation_committed = $2";
    UNDONE_SET = "INSERT INTO undone (host_id, change_id, generation, reason, undone_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (host_id) DO UPDATE SET change_id = excluded.change_id, generation = excluded.generation,
            reason = excluded.reason, undone_at = excluded.undone_at";
    UNDONE_FORGET = "DELETE FROM undone WHERE host_id = $1";
    UNDONE_GET = "SELECT u.host_id, u.change_id, c.rfc, u.generation, u.reason, u.undone_at
        FROM undone u JOIN changes c ON c.id = u.change_id WHERE u.host_id = $1";
    UNDONE_LIST = "SELECT u.host_id, u.change_id, c.rfc, u.generation, u.reason, u.undone_at
        FROM undone u JOIN changes c ON c.id = u.change_id ORDER BY u.host_id LIMIT $1";
    HOST_COMMITTED = "SELECT id, generation_committed, committed_change, committed_desired FROM hosts
        WHERE id = $1 AND committed_desired IS NOT NULL";
    HOSTS_COMMITTED_PAGE = "SELECT id, generation_committed, committed_change, committed_desired FROM hosts
        WHERE id > $1 AND committed_desired IS NOT NULL ORDER BY id LIMIT $2";
}

bulk_statements! {
    /// Host, group, labels, time. Writes only what differs.
    HOSTS_UPSERT_KNOWN =
        "INSERT INTO hosts (id, group_id, labels, status, listed, created_at) VALUES",
        "(#, #, #, 'expected', TRUE, #)",
        "ON CONFLICT (id) DO UPDATE SET group_id = excluded.group_id, labels = excluded.labels, listed = TRUE
        WHERE hosts.listed = FALSE OR hosts.group_id IS NULL OR hosts.group_id <> excluded.group_id
            OR hosts.labels <> excluded.labels";
    HOSTS_UNLIST = "UPDATE hosts SET listed = FALSE WHERE id IN (VALUES", "(CAST(# AS TEXT))", ")";
    /// Host, time. Never goes back.
    HOSTS_TOUCH =
        "UPDATE hosts SET last_seen_at = seen.column2 FROM (VALUES",
        "(CAST(# AS TEXT), CAST(# AS BIGINT))",
        ") AS seen WHERE hosts.id = seen.column1
            AND (hosts.last_seen_at IS NULL OR hosts.last_seen_at < seen.column2)";
    /// Host. Gives the next generation, and the one that the host has.
    HOSTS_ALLOCATE =
        "UPDATE hosts SET generation_allocated = generation_allocated + 1 WHERE id IN (VALUES",
        "(CAST(# AS TEXT))",
        ") RETURNING id, generation_allocated, COALESCE(generation_reported, generation_committed)";
}
