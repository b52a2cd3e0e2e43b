//! Statements on users, sessions, API tokens and sign-ins under way, and the counts for the metrics. See the rules in `sql`.

statements! {
    USER_CREATE = "INSERT INTO users (name, kind, status, email, password, issuer, subject, created_by, created_at)
        VALUES ($1, $2, 'active', $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING";
    USER_GET = "SELECT name, kind, status, email, password, issuer, subject, failures, locked_until, created_by, created_at,
            last_login_at
        FROM users WHERE name = $1";
    USER_OF_SUBJECT = "SELECT name, kind, status, email, password, issuer, subject, failures, locked_until, created_by,
            created_at, last_login_at
        FROM users WHERE issuer = $1 AND subject = $2";
    USERS_LIST = "SELECT name, kind, status, email, password, issuer, subject, failures, locked_until, created_by, created_at,
            last_login_at
        FROM users ORDER BY name LIMIT $1";
    USER_SET_STATUS = "UPDATE users SET status = $2 WHERE name = $1";
    USER_SET_EMAIL = "UPDATE users SET email = $2 WHERE name = $1";
    USER_SET_PASSWORD = "UPDATE users SET password = $2, failures = 0, locked_until = NULL
        WHERE name = $1 AND kind = 'local'";
    /// Counts a wrong password; from the limit on, every one locks anew.
    USER_FAILED = "UPDATE users SET failures = failures + 1,
            locked_until = CASE WHEN failures + 1 >= $2 THEN $3 ELSE locked_until END
        WHERE name = $1 RETURNING failures";
    USER_LOGGED_IN = "UPDATE users SET failures = 0, locked_until = NULL, last_login_at = $2 WHERE name = $1";
    USER_ROLES = "SELECT role FROM user_roles WHERE user_name = $1 ORDER BY role";
    USER_ROLES_ALL = "SELECT user_name, role FROM user_roles ORDER BY user_name, role";
    USER_ROLES_CLEAR = "DELETE FROM user_roles WHERE user_name = $1";
    USER_ROLE_ADD = "INSERT INTO user_roles (user_name, role) VALUES ($1, $2)";

    SESSION_CREATE = "INSERT INTO sessions (hash, user_name, kind, source, created_at, last_seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6)";
    SESSION_GET = "SELECT hash, user_name, kind, source, created_at, last_seen_at, expires_at FROM sessions
        WHERE hash = $1";
    SESSION_TOUCH = "UPDATE sessions SET last_seen_at = $2 WHERE hash = $1 AND last_seen_at < $2";
    SESSION_END = "DELETE FROM sessions WHERE hash = $1";
    SESSIONS_END_OF = "DELETE FROM sessions WHERE user_name = $1";
    SESSIONS_PRUNE = "DELETE FROM sessions WHERE expires_at <= $1 OR last_seen_at <= $2";

    API_TOKEN_CREATE = "INSERT INTO api_tokens (id, hash, name, user_name, role, group_id, created_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    API_TOKEN_BY_HASH = "SELECT id, name, user_name, role, group_id, created_by, created_at, expires_at, last_used_at,
            revoked_at, revoked_by
        FROM api_tokens WHERE hash = $1";
    API_TOKEN_GET = "SELECT id, name, user_name, role, group_id, created_by, created_at, expires_at, last_used_at,
            revoked_at, revoked_by
        FROM api_tokens WHERE id = $1";
    /// Newest first; a parameter that is NULL does not filter.
    API_TOKENS_LIST = "SELECT id, name, user_name, role, group_id, created_by, created_at, expires_at, last_used_at,
            revoked_at, revoked_by
        FROM api_tokens WHERE (CAST($1 AS TEXT) IS NULL OR user_name = CAST($1 AS TEXT))
        ORDER BY created_at DESC, id LIMIT $2";
    API_TOKENS_LIVE_OF = "SELECT COUNT(*) FROM api_tokens
        WHERE created_by = $1 AND revoked_at IS NULL AND expires_at > $2";
    API_TOKEN_TOUCH = "UPDATE api_tokens SET last_used_at = $2
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    API_TOKEN_REVOKE = "UPDATE api_tokens SET revoked_at = $2, revoked_by = $3 WHERE id = $1 AND revoked_at IS NULL";

    LOGIN_BEGIN = "INSERT INTO logins (state_hash, browser_hash, nonce, verifier, port, challenge, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    LOGINS_COUNT = "SELECT COUNT(*) FROM logins";
    /// One statement, so that a state is good once.
    LOGIN_TAKE = "DELETE FROM logins WHERE state_hash = $1
        RETURNING browser_hash, nonce, verifier, port, challenge, expires_at";
    LOGINS_PRUNE = "DELETE FROM logins WHERE expires_at <= $1";
    LOGIN_CODE_ADD = "INSERT INTO login_codes (hash, user_name, challenge, expires_at) VALUES ($1, $2, $3, $4)";
    /// One statement, so that a code is good once.
    LOGIN_CODE_TAKE = "DELETE FROM login_codes WHERE hash = $1 RETURNING user_name, challenge, expires_at";
    LOGIN_CODES_PRUNE = "DELETE FROM login_codes WHERE expires_at <= $1";

    HOSTS_BY_STATUS = "SELECT status, COUNT(*) FROM hosts GROUP BY status ORDER BY status";
    HOSTS_BY_AGENT = "SELECT agent_version, COUNT(*) FROM hosts WHERE agent_version IS NOT NULL
        GROUP BY agent_version ORDER BY COUNT(*) DESC, agent_version LIMIT 50";
    ROLLOUTS_BY_PHASE = "SELECT phase, COUNT(*) FROM rollouts GROUP BY phase ORDER BY phase";
}
