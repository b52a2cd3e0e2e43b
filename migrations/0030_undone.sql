-- Hosts whose last confirmed change was undone on the host itself, e.g. by a person at its console.
--
-- The row stands until the host confirms another change. With it the host's confirmed generation falls back to the one
-- before, as it does on the host: the only way in which hosts.generation_committed falls.

CREATE TABLE undone (
    host_id     TEXT   NOT NULL PRIMARY KEY REFERENCES hosts (id),
    change_id   TEXT   NOT NULL REFERENCES changes (id),
    generation  BIGINT NOT NULL CHECK (generation > 0),
    -- In the words of the host.
    reason      TEXT   NOT NULL,
    undone_at   BIGINT NOT NULL
);
