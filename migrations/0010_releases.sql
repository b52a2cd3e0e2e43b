-- What approvers sign, who they are, and what they signed.

-- One release per accepted change that touches hosts.
CREATE TABLE releases (
    change_id   TEXT   NOT NULL PRIMARY KEY REFERENCES changes (id),
    -- ReleaseManifest as JSON: exactly the text that is signed and sent.
    manifest    TEXT   NOT NULL,
    not_after   BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);

-- What each host is sent with its order.
CREATE TABLE release_leaves (
    change_id   TEXT   NOT NULL REFERENCES releases (change_id),
    host_id     TEXT   NOT NULL REFERENCES hosts (id),
    -- Order as JSON: exactly the text that is hashed and sent.
    order_json  TEXT   NOT NULL,
    -- What the host had committed when the change was accepted; 0 for nothing.
    parent      BIGINT NOT NULL CHECK (parent >= 0),
    wave        BIGINT NOT NULL CHECK (wave >= 0),
    leaf_index  BIGINT NOT NULL CHECK (leaf_index >= 0),
    -- Hashes of the siblings, bottom-up, as one hexadecimal text.
    path        TEXT   NOT NULL,
    PRIMARY KEY (change_id, host_id)
);

-- Every version of every approver set, so that a host that missed some is led through them.
CREATE TABLE approver_sets (
    -- A group, or `default` for the groups without one of their own.
    name         TEXT   NOT NULL,
    version      BIGINT NOT NULL CHECK (version > 0),
    -- ApproverSet as JSON: exactly the text that is signed when it is rotated in.
    document     TEXT   NOT NULL,
    -- ApproverRotation as JSON that led here from the version before; NULL for the first.
    rotation     TEXT,
    imported_by  TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE approvals (
    change_id   TEXT   NOT NULL REFERENCES releases (change_id),
    -- The public key as it stands in the approver set.
    public_key  TEXT   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('approval', 'break_glass')),
    approver    TEXT   NOT NULL,
    -- Armoured SSHSIG over the manifest.
    signature   TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (change_id, public_key, kind)
);

-- What the host itself last said it had committed: a person at its console may have undone a change, or put in a new disk.
ALTER TABLE hosts ADD COLUMN generation_reported BIGINT;

-- ApprovalNote as JSON: what the host says of the approval of the order; NULL when there is nothing to say.
ALTER TABLE host_outcomes ADD COLUMN approval TEXT;
