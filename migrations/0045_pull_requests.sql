-- Pull requests as they were seen last, and what was said about them.

CREATE TABLE pull_requests (
    -- Kind and repository, e.g. `github:net/esxi`: numbers mean something only there.
    forge          TEXT   NOT NULL,
    number         BIGINT NOT NULL CHECK (number > 0),
    title          TEXT   NOT NULL,
    author         TEXT   NOT NULL,
    state          TEXT   NOT NULL CHECK (state IN ('open', 'closed', 'merged')),
    head           TEXT   NOT NULL,
    -- The commit on the branch, once it is merged.
    merged_commit  TEXT,
    -- Head and branch's head that were reviewed last, and when.
    reviewed       TEXT,
    reviewed_at    BIGINT,
    -- ReviewFacts of the last review, as JSON.
    facts          TEXT,
    -- What was said last beside a commit, as JSON.
    said           TEXT,
    -- Nothing more will be said.
    done           BIGINT NOT NULL CHECK (done IN (0, 1)),
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (forge, number)
);
CREATE INDEX pull_requests_unfinished ON pull_requests (forge, number) WHERE done = 0;
