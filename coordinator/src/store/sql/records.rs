//! Statements on drift, the audit trail and the inbox. See the rules in `sql`.

statements! {
    /// Tells whether the host is known, and makes reports of one host wait for each other.
    DRIFT_ARRIVED = "UPDATE hosts SET drift_reported_at = $2 WHERE id = $1";
    DRIFT_OPEN_OF = "SELECT host_id, component, object, field, kind, first_seen, last_seen, generation, desired, observed,
            resolved_at
        FROM drift WHERE host_id = $1 AND resolved_at IS NULL ORDER BY component, object, field, kind";
    DRIFT_UPSERT = "INSERT INTO drift (host_id, component, object, field, kind, first_seen, last_seen, generation, desired,
            observed, resolved_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)
        ON CONFLICT (host_id, component, object, field, kind, first_seen) DO UPDATE SET last_seen = excluded.last_seen,
            generation = excluded.generation, desired = excluded.desired, observed = excluded.observed,
            resolved_at = NULL";
    DRIFT_RESOLVE = "UPDATE drift SET resolved_at = $7
        WHERE host_id = $1 AND component = $2 AND object = $3 AND field = $4 AND kind = $5 AND first_seen = $6";
    /// Open ones of all hosts, oldest first.
    DRIFT_LIST_OPEN = "SELECT host_id, component, object, field, kind, first_seen, last_seen, generation, desired,
            observed, resolved_at
        FROM drift WHERE resolved_at IS NULL ORDER BY first_seen, host_id, component, object, field, kind LIMIT $1";
    /// All, newest first.
    DRIFT_LIST_ALL = "SELECT host_id, component, object, field, kind, first_seen, last_seen, generation, desired, observed,
            resolved_at
        FROM drift ORDER BY first_seen DESC, host_id, component, object, field, kind LIMIT $1";

    /// Takes the end of the chain until the unit of work ends: appends wait for each other here, on both engines.
    AUDIT_TAKE_HEAD = "UPDATE audit_head SET sequence = sequence + 1 WHERE id = 1 RETURNING sequence, hash";
    AUDIT_SET_HEAD = "UPDATE audit_head SET hash = $1 WHERE id = 1";
    AUDIT_HEAD = "SELECT sequence, hash FROM audit_head WHERE id = 1";
    AUDIT_ADD = "INSERT INTO audit (sequence, at, actor, action, subject, detail, previous_hash, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    AUDIT_AFTER = "SELECT sequence, at, actor, action, subject, detail, previous_hash, hash FROM audit
        WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    AUDIT_KNOWN = "SELECT 1 FROM audit WHERE subject = $1 AND action = $2 AND detail = $3 LIMIT 1";
    AUDIT_NEWEST = "SELECT sequence, at, actor, action, subject, detail, previous_hash, hash FROM audit
        ORDER BY sequence DESC LIMIT $1";

    INBOX_ADD = "INSERT INTO inbox (delivery_id, source, body, received_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (delivery_id) DO NOTHING";
    INBOX_PENDING = "SELECT delivery_id, source, body, received_at FROM inbox WHERE processed_at IS NULL
        ORDER BY received_at, delivery_id LIMIT $1";
    INBOX_PROCESSED = "UPDATE inbox SET processed_at = $2 WHERE delivery_id = $1 AND processed_at IS NULL";
}
