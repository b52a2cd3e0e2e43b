//! Statements on releases, approver sets and approvals. See the rules in `sql`.

use super::Bulk;

statements! {
    RELEASE_ADD = "INSERT INTO releases (change_id, manifest, not_after, created_at) VALUES ($1, $2, $3, $4)";
    RELEASE_GET = "SELECT change_id, manifest, not_after, created_at FROM releases WHERE change_id = $1";
    RELEASE_LEAF = "SELECT l.host_id, h.group_id, l.order_json, l.parent, l.wave, l.leaf_index, l.path
        FROM release_leaves l JOIN hosts h ON h.id = l.host_id WHERE l.change_id = $1 AND l.host_id = $2";
    RELEASE_PARTS_PAGE = "SELECT l.host_id, h.group_id, l.order_json, l.parent, l.wave, p.steps
        FROM release_leaves l JOIN hosts h ON h.id = l.host_id
            JOIN plans p ON p.change_id = l.change_id AND p.host_id = l.host_id
        WHERE l.change_id = $1 AND l.host_id > $2 ORDER BY l.host_id LIMIT $3";
    /// The groups of its hosts, with how many hosts each.
    RELEASE_GROUPS = "SELECT h.group_id, COUNT(*) FROM release_leaves l JOIN hosts h ON h.id = l.host_id
        WHERE l.change_id = $1 GROUP BY h.group_id ORDER BY h.group_id";

    APPROVER_SET_ADD = "INSERT INTO approver_sets (name, version, document, rotation, imported_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name, version) DO NOTHING";
    /// The newest version of every set.
    APPROVER_SETS_NEWEST = "SELECT name, version, document, rotation, imported_by, created_at FROM approver_sets a
        WHERE version = (SELECT MAX(b.version) FROM approver_sets b WHERE b.name = a.name) ORDER BY name";
    /// The versions of one set after a version, oldest first.
    APPROVER_SETS_AFTER = "SELECT name, version, document, rotation, imported_by, created_at FROM approver_sets
        WHERE name = $1 AND version > $2 ORDER BY version LIMIT $3";

    APPROVAL_ADD = "INSERT INTO approvals (change_id, public_key, kind, approver, signature, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (change_id, public_key, kind) DO NOTHING";
    APPROVALS_OF = "SELECT public_key, kind, approver, signature, created_at FROM approvals
        WHERE change_id = $1 ORDER BY created_at, public_key, kind";
}

bulk_statements! {
    RELEASE_LEAVES_ADD = "INSERT INTO release_leaves
            (change_id, host_id, order_json, parent, wave, leaf_index, path) VALUES",
        "(#, #, #, #, #, #, #)", "";
}
