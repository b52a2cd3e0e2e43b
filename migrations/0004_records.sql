-- What happened: drift, the audit trail, arrived events, made artifacts.

CREATE TABLE drift (
    host_id      TEXT   NOT NULL REFERENCES hosts (id),
    component    TEXT   NOT NULL CHECK (component IN (
                     'repository', 'site', 'group', 'host', 'rfc', 'vswitch', 'port_group', 'vmk', 'vmnic', 'netstack',
                     'plan')),
    object       TEXT   NOT NULL,
    -- Empty for the whole object.
    field        TEXT   NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('missing', 'surplus', 'changed', 'unreadable')),
    first_seen   BIGINT NOT NULL,
    last_seen    BIGINT NOT NULL,
    -- The confirmed generation it was compared with.
    generation   BIGINT NOT NULL,
    desired      TEXT   NOT NULL,
    observed     TEXT   NOT NULL,
    resolved_at  BIGINT,
    PRIMARY KEY (host_id, component, object, field, kind, first_seen)
);
CREATE UNIQUE INDEX drift_open ON drift (host_id, component, object, field, kind) WHERE resolved_at IS NULL;

-- Who did what. Each row carries the hash of the row before it.
CREATE TABLE audit (
    sequence       BIGINT NOT NULL PRIMARY KEY CHECK (sequence > 0),
    at             BIGINT NOT NULL,
    actor          TEXT   NOT NULL,
    action         TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    -- JSON, in the exact text that was hashed.
    detail         TEXT   NOT NULL,
    previous_hash  TEXT   NOT NULL,
    hash           TEXT   NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, sequence);

-- The end of the chain: taking its row is what makes appends wait for each other.
CREATE TABLE audit_head (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence  BIGINT NOT NULL,
    hash      TEXT   NOT NULL
);
INSERT INTO audit_head (id, sequence, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TABLE inbox (
    delivery_id   TEXT   NOT NULL PRIMARY KEY,
    source        TEXT   NOT NULL,
    body          TEXT   NOT NULL,
    received_at   BIGINT NOT NULL,
    processed_at  BIGINT
);
CREATE INDEX inbox_pending ON inbox (received_at, delivery_id) WHERE processed_at IS NULL;

CREATE TABLE ai_artifacts (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    -- What it is about, e.g. `change/<id>` or `rfc/41`.
    subject     TEXT   NOT NULL,
    media_type  TEXT   NOT NULL,
    encoding    TEXT   NOT NULL CHECK (encoding IN ('utf8', 'base64')),
    body        TEXT   NOT NULL,
    -- Where it came from, as JSON.
    provenance  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX ai_artifacts_by_subject ON ai_artifacts (subject, kind, created_at);
