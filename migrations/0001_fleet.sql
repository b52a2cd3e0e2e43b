-- The fleet: who is managed, what was last confirmed on each host, who may join.
--
-- One text for SQLite and PostgreSQL: TEXT for ids and JSON, BIGINT for numbers and for times (milliseconds since
-- 1970-01-01T00:00:00Z), BOOLEAN with TRUE and FALSE, no SERIAL, no arrays. A file that was released is never edited.

CREATE TABLE groups (
    id          TEXT    NOT NULL PRIMARY KEY,
    -- GroupDocument as JSON; NULL while only an enrolment token named the group.
    document    TEXT,
    -- Named by the documents of the last commit that was read.
    listed      BOOLEAN NOT NULL,
    updated_at  BIGINT  NOT NULL CHECK (updated_at >= 0)
);

CREATE TABLE hosts (
    id                    TEXT    NOT NULL PRIMARY KEY,
    group_id              TEXT    REFERENCES groups (id),
    labels                TEXT    NOT NULL,
    -- expected: named, never enrolled. quarantined: its identity is in doubt, nothing is sent.
    status                TEXT    NOT NULL CHECK (status IN ('expected', 'enrolled', 'quarantined', 'revoked')),
    -- Named by the documents of the last commit that was read.
    listed                BOOLEAN NOT NULL,
    -- Highest generation ever given out, and the one the host confirmed last. Neither ever falls.
    generation_allocated  BIGINT  NOT NULL DEFAULT 0 CHECK (generation_allocated >= 0),
    generation_committed  BIGINT  NOT NULL DEFAULT 0 CHECK (generation_committed >= 0),
    -- DesiredNetwork as JSON: the last confirmed one, what drift is measured against.
    committed_desired     TEXT,
    committed_change      TEXT,
    committed_rfc         BIGINT,
    committed_at          BIGINT,
    enrolled_at           BIGINT,
    -- Written in bulk from memory, not per heartbeat.
    last_seen_at          BIGINT,
    agent_version         TEXT,
    boot_id               TEXT,
    -- HostFacts as JSON.
    facts                 TEXT,
    -- The newest observation: its content hash, the host's clock when it was read, ours when it last arrived.
    observation_hash      TEXT,
    observation_taken_at  BIGINT,
    observed_at           BIGINT,
    drift_reported_at     BIGINT,
    created_at            BIGINT  NOT NULL,
    CHECK (generation_committed <= generation_allocated)
);

CREATE INDEX hosts_by_group ON hosts (group_id, id);
CREATE INDEX hosts_by_status ON hosts (status, id);

CREATE TABLE enrolment_tokens (
    -- SHA-256 of the token, lower-case hexadecimal; the token itself is never stored.
    hash        TEXT   NOT NULL PRIMARY KEY,
    -- Host it is good for; NULL means any.
    host_id     TEXT,
    -- Group a host gets that no document names yet.
    group_id    TEXT,
    expires_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    used_at     BIGINT,
    used_by     TEXT,
    CHECK ((used_at IS NULL) = (used_by IS NULL))
);

-- Small facts of this installation, e.g. the last commit seen.
CREATE TABLE meta (
    key         TEXT   NOT NULL PRIMARY KEY,
    value       TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL
);

-- Who does a job that only one coordinator should do at a time. Saves double work; nothing depends on it for safety.
CREATE TABLE leases (
    name        TEXT   NOT NULL PRIMARY KEY,
    holder      TEXT   NOT NULL,
    epoch       BIGINT NOT NULL CHECK (epoch > 0),
    expires_at  BIGINT NOT NULL
);
