//! Statements on identities of hosts, enrolment tokens and requests. See the rules in `sql`.

statements! {
    IDENTITY_GET = "SELECT id, status, status_reason, key_sha256, system_uuid, join_count, join_id,
            certificate_expires_at, enrolled_at
        FROM hosts WHERE id = $1";
    /// Its group from the documents wins over the token's.
    IDENTITY_BIND = "INSERT INTO hosts (id, group_id, labels, status, listed, enrolled_at, created_at, key_sha256,
            system_uuid, join_count, identity_changed_at)
        VALUES ($1, $2, '{}', 'enrolled', FALSE, $3, $3, $4, $5, 0, $3)
        ON CONFLICT (id) DO UPDATE SET status = 'enrolled', enrolled_at = excluded.enrolled_at,
            group_id = COALESCE(hosts.group_id, excluded.group_id), key_sha256 = excluded.key_sha256,
            system_uuid = excluded.system_uuid, join_count = 0, join_id = NULL, status_reason = NULL,
            identity_changed_at = excluded.identity_changed_at";
    IDENTITY_SET_STATUS = "UPDATE hosts SET status = $2, status_reason = $3, identity_changed_at = $4 WHERE id = $1";
    /// The machine may be another one, and the next count is taken as it comes.
    IDENTITY_FORGET_MACHINE = "UPDATE hosts SET system_uuid = NULL, join_count = NULL, join_id = NULL WHERE id = $1";
    /// Binds a host to its machine, unless it is bound, or another host is bound to that machine.
    IDENTITY_NOTE_MACHINE = "UPDATE hosts SET system_uuid = $2
        WHERE id = $1 AND system_uuid IS NULL
            AND NOT EXISTS (SELECT 1 FROM hosts others WHERE others.system_uuid = $2 AND others.id <> $1)";
    IDENTITY_ON_MACHINE = "SELECT id FROM hosts WHERE system_uuid = $1 AND id <> $2";
    /// One statement, so that of a host and its copy only one gets on.
    IDENTITY_JOIN = "UPDATE hosts SET join_count = CAST($2 AS BIGINT) + 1, join_id = $3
        WHERE id = $1 AND (join_count IS NULL OR join_count = CAST($2 AS BIGINT))";
    IDENTITY_NOTE_CERTIFICATE = "UPDATE hosts SET certificate_expires_at = $2 WHERE id = $1";
    IDENTITIES_CHANGED = "SELECT id, status, key_sha256 FROM hosts WHERE identity_changed_at >= $1 ORDER BY id";

    REQUEST_PUT = "INSERT INTO enrolment_requests (host_id, key_sha256, source, token_hash, system_uuid, group_id, remote,
            status, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8, $9)
        ON CONFLICT (host_id) DO UPDATE SET key_sha256 = excluded.key_sha256, source = excluded.source,
            token_hash = excluded.token_hash, system_uuid = excluded.system_uuid, group_id = excluded.group_id,
            remote = excluded.remote, status = 'pending', created_at = excluded.created_at,
            expires_at = excluded.expires_at";
    REQUEST_GET = "SELECT host_id, key_sha256, source, token_hash, system_uuid, group_id, remote, status, created_at,
            expires_at
        FROM enrolment_requests WHERE host_id = $1";
    REQUESTS_OPEN = "SELECT host_id, key_sha256, source, token_hash, system_uuid, group_id, remote, status, created_at,
            expires_at
        FROM enrolment_requests WHERE status = 'pending' AND expires_at > $1 ORDER BY host_id LIMIT $2";
    REQUEST_DECIDE = "UPDATE enrolment_requests SET status = $3 WHERE host_id = $1 AND key_sha256 = $2 AND status = 'pending'";
    REQUEST_DROP = "DELETE FROM enrolment_requests WHERE host_id = $1";
    REQUESTS_DROP_OLD = "DELETE FROM enrolment_requests WHERE expires_at <= $1";

    TOKEN_CREATE = "INSERT INTO enrolment_tokens (hash, host_id, group_id, expires_at, created_by, created_at, system_uuid,
            needs_approval)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hash) DO NOTHING";
    /// One statement, so that two takers cannot both win. Whatever it is taken for, it is used up.
    TOKEN_TAKE = "UPDATE enrolment_tokens SET used_at = $3, used_by = $2 WHERE hash = $1 AND used_at IS NULL
        RETURNING hash, host_id, group_id, expires_at, created_by, created_at, used_at, used_by, system_uuid,
            needs_approval";
    TOKENS_VOID = "UPDATE enrolment_tokens SET used_at = $2, used_by = $3 WHERE used_at IS NULL
        AND (host_id = $1 OR system_uuid = (SELECT system_uuid FROM hosts WHERE id = $1))";
    TOKEN_KNOWN = "SELECT 1 FROM enrolment_tokens WHERE hash = $1";
    TOKENS_LIST = "SELECT hash, host_id, group_id, expires_at, created_by, created_at, used_at, used_by, system_uuid,
            needs_approval
        FROM enrolment_tokens ORDER BY created_at, hash";
}
