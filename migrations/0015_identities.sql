-- Identities: the key a host is bound to, requests that wait for an operator, what tells a copy of a host.

-- SHA-256 of the host's public key, lower-case hexadecimal: a certificate for another key is not accepted.
ALTER TABLE hosts ADD COLUMN key_sha256 TEXT;
-- The machine the identity was last seen on; NULL until it tells, and after an operator released or revoked it.
ALTER TABLE hosts ADD COLUMN system_uuid TEXT;
-- How often the host recovered; NULL means that the next number is taken as it comes.
ALTER TABLE hosts ADD COLUMN join_count BIGINT CHECK (join_count >= 0);
-- Made by the host for its last recovery.
ALTER TABLE hosts ADD COLUMN join_id TEXT;
-- Why it is quarantined or revoked.
ALTER TABLE hosts ADD COLUMN status_reason TEXT;
ALTER TABLE hosts ADD COLUMN certificate_expires_at BIGINT;
-- When status or key last changed: live streams are compared with what changed lately.
ALTER TABLE hosts ADD COLUMN identity_changed_at BIGINT NOT NULL DEFAULT 0;

-- One machine, one host.
CREATE UNIQUE INDEX hosts_by_system_uuid ON hosts (system_uuid);
CREATE INDEX hosts_by_identity_change ON hosts (identity_changed_at);

-- Machine it is good for; NULL means any. The column `hash` holds an HMAC of the token from now on.
ALTER TABLE enrolment_tokens ADD COLUMN system_uuid TEXT;
ALTER TABLE enrolment_tokens ADD COLUMN needs_approval BOOLEAN NOT NULL DEFAULT TRUE;

-- Hosts that want in and wait for an operator; the newest request of a host replaces the one before.
CREATE TABLE enrolment_requests (
    host_id      TEXT   NOT NULL PRIMARY KEY,
    key_sha256   TEXT   NOT NULL,
    -- token: presented one, and asks again with it. certificate: has a certificate of ours, but no row here.
    source       TEXT   NOT NULL CHECK (source IN ('token', 'certificate')),
    token_hash   TEXT,
    system_uuid  TEXT,
    group_id     TEXT,
    remote       TEXT   NOT NULL,
    status       TEXT   NOT NULL CHECK (status IN ('pending', 'approved', 'denied')),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    CHECK ((source = 'token') = (token_hash IS NOT NULL))
);
