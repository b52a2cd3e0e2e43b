-- From a merged proposal to its end on every host.

CREATE TABLE rfcs (
    number      BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    title       TEXT   NOT NULL,
    status      TEXT   NOT NULL CHECK (status IN (
                    'draft', 'proposed', 'validated', 'approved', 'merged', 'rolling_out', 'implemented',
                    'failed', 'rolled_back', 'withdrawn', 'rejected', 'superseded')),
    commit_id   TEXT   NOT NULL,
    author      TEXT   NOT NULL,
    -- Path in the configuration repository.
    path        TEXT   NOT NULL,
    -- RfcFrontMatter as JSON, and the words below it.
    document    TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL
);
CREATE INDEX rfcs_by_status ON rfcs (status, number);

CREATE TABLE changes (
    id                  TEXT   NOT NULL PRIMARY KEY,
    commit_id           TEXT   NOT NULL UNIQUE,
    -- The commit the change was compared with; NULL for the first one.
    parent_commit       TEXT,
    rfc                 BIGINT REFERENCES rfcs (number),
    author              TEXT   NOT NULL,
    message             TEXT   NOT NULL,
    status              TEXT   NOT NULL CHECK (status IN ('accepted', 'refused', 'superseded')),
    -- Finding[] as JSON.
    findings            TEXT   NOT NULL,
    -- Worst effect on traffic that the proposal allows.
    disruption_allowed  TEXT   NOT NULL CHECK (disruption_allowed IN (
                            'none', 'link_bounce', 'traffic_loss', 'replace', 'management_path')),
    -- ProbePlan as JSON.
    probes              TEXT   NOT NULL,
    created_at          BIGINT NOT NULL
);
CREATE INDEX changes_by_status ON changes (status, created_at, id);
CREATE INDEX changes_by_rfc ON changes (rfc);

CREATE TABLE plans (
    change_id      TEXT   NOT NULL REFERENCES changes (id),
    host_id        TEXT   NOT NULL REFERENCES hosts (id),
    generation     BIGINT NOT NULL CHECK (generation > 0),
    digest         TEXT   NOT NULL,
    disruption     TEXT   NOT NULL CHECK (disruption IN (
                       'none', 'link_bounce', 'traffic_loss', 'replace', 'management_path')),
    -- Step[], DesiredNetwork and the command lines as JSON.
    steps          TEXT   NOT NULL,
    desired        TEXT   NOT NULL,
    esxcli_lines   TEXT   NOT NULL,
    PRIMARY KEY (change_id, host_id),
    UNIQUE (host_id, generation)
);

CREATE TABLE rollouts (
    id          TEXT   NOT NULL PRIMARY KEY,
    change_id   TEXT   NOT NULL UNIQUE REFERENCES changes (id),
    phase       TEXT   NOT NULL CHECK (phase IN (
                    'pending', 'running', 'soaking', 'paused', 'halted', 'aborted', 'completed')),
    -- The state of the rollout machine and its RolloutSpec as JSON.
    state       TEXT   NOT NULL,
    spec        TEXT   NOT NULL,
    -- Grows with every write: a writer that read an older one loses.
    version     BIGINT NOT NULL CHECK (version > 0),
    -- Why it is where it is, in words for an operator.
    reason      TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    ended_at    BIGINT
);
CREATE INDEX rollouts_by_phase ON rollouts (phase, created_at, id);
CREATE INDEX rollouts_by_time ON rollouts (created_at, id);

CREATE TABLE waves (
    rollout_id  TEXT   NOT NULL REFERENCES rollouts (id),
    number      BIGINT NOT NULL CHECK (number >= 0),
    -- Host ids as a JSON array.
    hosts       TEXT   NOT NULL,
    started_at  BIGINT,
    ended_at    BIGINT,
    PRIMARY KEY (rollout_id, number)
);

CREATE TABLE host_outcomes (
    host_id       TEXT   NOT NULL REFERENCES hosts (id),
    change_id     TEXT   NOT NULL REFERENCES changes (id),
    generation    BIGINT NOT NULL CHECK (generation > 0),
    kind          TEXT   NOT NULL CHECK (kind IN (
                      'committed', 'rolled_back', 'rolled_back_unverified', 'failed_mixed', 'refused')),
    -- OutcomeKind as JSON.
    detail        TEXT   NOT NULL,
    steps_run     BIGINT NOT NULL,
    esxcli_calls  BIGINT NOT NULL,
    received_at   BIGINT NOT NULL,
    PRIMARY KEY (host_id, change_id, generation)
);
CREATE INDEX host_outcomes_by_change ON host_outcomes (change_id, host_id);
CREATE INDEX host_outcomes_by_kind ON host_outcomes (kind, received_at);
