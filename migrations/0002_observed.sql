-- What the hosts look like: the newest rows per object for queries, and the history of whole observations.
--
-- A NULL number or text means "the host could not tell"; `document` always holds the whole object as JSON. When a whole
-- kind of objects could not be read, its rows stay as they were. `observed_at` of a row is when this content first arrived;
-- hosts.observed_at tells when the host was last heard of with it.

CREATE TABLE vswitches (
    host_id      TEXT    NOT NULL REFERENCES hosts (id),
    name         TEXT    NOT NULL,
    mtu          BIGINT,
    cdp          TEXT    CHECK (cdp IN ('down', 'listen', 'advertise', 'both')),
    -- JSON array of names.
    uplinks      TEXT,
    document     TEXT    NOT NULL,
    observed_at  BIGINT  NOT NULL,
    PRIMARY KEY (host_id, name)
);
CREATE INDEX vswitches_by_name ON vswitches (name, host_id);

CREATE TABLE port_groups (
    host_id         TEXT    NOT NULL REFERENCES hosts (id),
    name            TEXT    NOT NULL,
    vswitch         TEXT    NOT NULL,
    -- 0 untagged, 1 to 4094, 4095 trunk.
    vlan            BIGINT  CHECK (vlan BETWEEN 0 AND 4095),
    active_clients  BIGINT  NOT NULL,
    document        TEXT    NOT NULL,
    observed_at     BIGINT  NOT NULL,
    PRIMARY KEY (host_id, name)
);
CREATE INDEX port_groups_by_name ON port_groups (name, host_id);
CREATE INDEX port_groups_by_vlan ON port_groups (vlan, host_id);

CREATE TABLE vmkernels (
    host_id       TEXT    NOT NULL REFERENCES hosts (id),
    name          TEXT    NOT NULL,
    -- One of the two is set: a port group of a standard switch, or a distributed switch.
    port_group    TEXT,
    distributed   TEXT,
    netstack      TEXT    NOT NULL,
    enabled       BOOLEAN NOT NULL,
    mac           TEXT,
    mtu           BIGINT,
    ipv4_mode     TEXT    CHECK (ipv4_mode IN ('none', 'dhcp', 'static')),
    -- Address with prefix length.
    ipv4_address  TEXT,
    -- JSON array of tags.
    services      TEXT,
    document      TEXT    NOT NULL,
    observed_at   BIGINT  NOT NULL,
    PRIMARY KEY (host_id, name),
    CHECK ((port_group IS NULL) <> (distributed IS NULL))
);
CREATE INDEX vmkernels_by_address ON vmkernels (ipv4_address);

CREATE TABLE physical_nics (
    host_id      TEXT    NOT NULL REFERENCES hosts (id),
    name         TEXT    NOT NULL,
    driver       TEXT    NOT NULL,
    pci          TEXT    NOT NULL,
    mac          TEXT,
    admin        TEXT    CHECK (admin IN ('up', 'down')),
    link         TEXT    NOT NULL CHECK (link IN ('up', 'down')),
    speed_mbps   BIGINT  NOT NULL,
    document     TEXT    NOT NULL,
    observed_at  BIGINT  NOT NULL,
    PRIMARY KEY (host_id, name)
);
CREATE INDEX physical_nics_by_mac ON physical_nics (mac);
CREATE INDEX physical_nics_by_driver ON physical_nics (driver, host_id);

CREATE TABLE netstacks (
    host_id          TEXT    NOT NULL REFERENCES hosts (id),
    name             TEXT    NOT NULL,
    default_gateway  TEXT,
    -- JSON array of addresses.
    dns_servers      TEXT,
    document         TEXT    NOT NULL,
    observed_at      BIGINT  NOT NULL,
    PRIMARY KEY (host_id, name)
);

-- Every different content a host ever reported, once.
CREATE TABLE observation_documents (
    host_id   TEXT NOT NULL REFERENCES hosts (id),
    -- SHA-256 over the content without its time, as the agent sends it.
    hash      TEXT NOT NULL,
    -- ObservedNetwork as JSON.
    document  TEXT NOT NULL,
    PRIMARY KEY (host_id, hash)
);

-- When a host changed to which content: one row per change, also when an old content comes back.
CREATE TABLE observations (
    host_id      TEXT   NOT NULL,
    -- When the coordinator first received this content in a row.
    received_at  BIGINT NOT NULL,
    hash         TEXT   NOT NULL,
    -- The host's own clock then.
    taken_at     BIGINT NOT NULL,
    PRIMARY KEY (host_id, received_at),
    FOREIGN KEY (host_id, hash) REFERENCES observation_documents (host_id, hash)
);
