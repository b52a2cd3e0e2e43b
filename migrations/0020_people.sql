-- People: users and their roles, sessions, API tokens, and sign-ins that are on their way through an OIDC provider.
--
-- Secrets are never stored: passwords as argon2id strings, everything else as the SHA-256 of 256 random bits.

CREATE TABLE users (
    name           TEXT    NOT NULL PRIMARY KEY,
    kind           TEXT    NOT NULL CHECK (kind IN ('local', 'oidc')),
    status         TEXT    NOT NULL CHECK (status IN ('active', 'disabled')),
    email          TEXT,
    -- argon2id with its parameters and salt, in PHC form. Local users only.
    password       TEXT,
    -- Who an OIDC user is at their provider, for good: names and addresses may change hands.
    issuer         TEXT,
    subject        TEXT,
    -- Wrong passwords in a row, and until when none is looked at.
    failures       BIGINT  NOT NULL DEFAULT 0 CHECK (failures >= 0),
    locked_until   BIGINT,
    created_by     TEXT    NOT NULL,
    created_at     BIGINT  NOT NULL,
    last_login_at  BIGINT,
    CHECK ((kind = 'local') = (password IS NOT NULL)),
    CHECK ((kind = 'oidc') = (issuer IS NOT NULL)),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);
CREATE UNIQUE INDEX users_by_subject ON users (issuer, subject);

CREATE TABLE user_roles (
    user_name  TEXT NOT NULL REFERENCES users (name),
    role       TEXT NOT NULL CHECK (role IN ('viewer', 'engineer', 'operator', 'approver', 'admin')),
    PRIMARY KEY (user_name, role)
);

CREATE TABLE sessions (
    hash          TEXT   NOT NULL PRIMARY KEY,
    user_name     TEXT   NOT NULL REFERENCES users (name),
    kind          TEXT   NOT NULL CHECK (kind IN ('cli', 'browser')),
    -- Where they signed in from.
    source        TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_name);
CREATE INDEX sessions_by_end ON sessions (expires_at);

CREATE TABLE api_tokens (
    id            TEXT   NOT NULL PRIMARY KEY,
    hash          TEXT   NOT NULL UNIQUE,
    name          TEXT   NOT NULL,
    -- Whose it is; NULL: made with the operator's token.
    user_name     TEXT   REFERENCES users (name),
    role          TEXT   NOT NULL CHECK (role IN ('viewer', 'engineer', 'operator', 'approver', 'admin')),
    -- Only hosts of this group; NULL: all.
    group_id      TEXT,
    created_by    TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    last_used_at  BIGINT,
    revoked_at    BIGINT,
    revoked_by    TEXT,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX api_tokens_by_user ON api_tokens (user_name, created_at);

-- A sign-in that was sent to the provider and has not come back.
CREATE TABLE logins (
    state_hash    TEXT   NOT NULL PRIMARY KEY,
    -- The browser that began it.
    browser_hash  TEXT   NOT NULL,
    nonce         TEXT   NOT NULL,
    -- PKCE verifier: worth nothing without the code, which only the provider gives.
    verifier      TEXT   NOT NULL,
    -- A command line that waits on this port of the browser's machine, and its own PKCE challenge.
    port          BIGINT CHECK (port BETWEEN 1 AND 65535),
    challenge     TEXT,
    expires_at    BIGINT NOT NULL,
    CHECK ((port IS NULL) = (challenge IS NULL))
);
CREATE INDEX logins_by_end ON logins (expires_at);

-- A sign-in that came back and waits for its command line.
CREATE TABLE login_codes (
    hash        TEXT   NOT NULL PRIMARY KEY,
    user_name   TEXT   NOT NULL REFERENCES users (name),
    challenge   TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX login_codes_by_end ON login_codes (expires_at);
