-- Changes whose RFC says that no peer has to vouch for them, e.g. a move of a whole network.

CREATE TABLE witness_waivers (
    change_id  TEXT NOT NULL PRIMARY KEY REFERENCES changes (id),
    -- In the words of the RFC.
    reason     TEXT NOT NULL
);
