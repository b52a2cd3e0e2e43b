//! Statements on RFCs, changes, plans, rollouts, waves and outcomes. See the rules in `sql`.

use super::Bulk;

statements! {
    RFC_UPSERT = "INSERT INTO rfcs (number, title, status, commit_id, author, path, document, body, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
        ON CONFLICT (number) DO UPDATE SET title = excluded.title, status = excluded.status,
            commit_id = excluded.commit_id, author = excluded.author, path = excluded.path,
            document = excluded.document, body = excluded.body, updated_at = excluded.updated_at";
    RFC_SET_STATUS = "UPDATE rfcs SET status = $2, updated_at = $3 WHERE number = $1";
    RFC_GET = "SELECT number, title, status, commit_id, author, path, document, body, created_at, updated_at
        FROM rfcs WHERE number = $1";
    /// Newest first, below a number.
    RFCS_LIST = "SELECT number, title, status, commit_id, author, path, document, body, created_at, updated_at
        FROM rfcs WHERE number < $1 ORDER BY number DESC LIMIT $2";

    /// A refused commit may be looked at again; its old verdict makes room.
    CHANGE_FORGET_REFUSED = "DELETE FROM changes WHERE commit_id = $1 AND status = 'refused'";
    CHANGE_ADD = "INSERT INTO changes (id, commit_id, parent_commit, rfc, author, message, status, findings,
            disruption_allowed, probes, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (commit_id) DO NOTHING";
    CHANGE_SET_STATUS = "UPDATE changes SET status = $2 WHERE id = $1";
    CHANGE_GET = "SELECT id, commit_id, parent_commit, rfc, author, message, status, findings, disruption_allowed, probes,
            created_at
        FROM changes WHERE id = $1";
    CHANGE_BY_COMMIT = "SELECT id, commit_id, parent_commit, rfc, author, message, status, findings, disruption_allowed,
            probes, created_at
        FROM changes WHERE commit_id = $1";
    CHANGE_LATEST_ACCEPTED = "SELECT id, commit_id, parent_commit, rfc, author, message, status, findings,
            disruption_allowed, probes, created_at
        FROM changes WHERE status IN ('accepted', 'superseded') ORDER BY created_at DESC, id DESC LIMIT 1";
    /// Newest first.
    CHANGES_LIST = "SELECT id, commit_id, parent_commit, rfc, author, message, status, findings, disruption_allowed,
            probes, created_at
        FROM changes ORDER BY created_at DESC, id DESC LIMIT $1";

    WAIVER_SET = "INSERT INTO witness_waivers (change_id, reason) VALUES ($1, $2)
        ON CONFLICT (change_id) DO UPDATE SET reason = excluded.reason";
    WAIVER_OF = "SELECT reason FROM witness_waivers WHERE change_id = $1";

    PLAN_GET = "SELECT change_id, host_id, generation, digest, disruption, steps, desired, esxcli_lines
        FROM plans WHERE change_id = $1 AND host_id = $2";
    PLANS_PAGE = "SELECT change_id, host_id, generation, digest, disruption, steps, desired, esxcli_lines
        FROM plans WHERE change_id = $1 AND host_id > $2 ORDER BY host_id LIMIT $3";
    PLAN_GENERATIONS = "SELECT host_id, generation FROM plans WHERE change_id = $1 ORDER BY host_id";

    ROLLOUT_ADD = "INSERT INTO rollouts (id, change_id, phase, state, spec, version, reason, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, 1, NULL, $6, $6)";
    /// What a rollout waits for that has not begun; the machine's own reason takes its place when it does.
    ROLLOUT_WAITS = "UPDATE rollouts SET reason = $2, updated_at = $3 WHERE change_id = $1 AND phase = 'pending'";
    /// Compare-and-set: only the writer that read the newest version wins. An end keeps its first time.
    ROLLOUT_SAVE = "UPDATE rollouts SET phase = $3, state = $4, reason = $5, updated_at = $6,
            ended_at = CASE WHEN $3 IN ('aborted', 'completed') THEN COALESCE(ended_at, $6) ELSE NULL END,
            version = version + 1
        WHERE id = $1 AND version = $2 RETURNING version";
    ROLLOUT_GET = "SELECT id, change_id, phase, state, spec, version, reason, created_at, updated_at, ended_at
        FROM rollouts WHERE id = $1";
    ROLLOUT_OF_CHANGE = "SELECT id, change_id, phase, state, spec, version, reason, created_at, updated_at, ended_at
        FROM rollouts WHERE change_id = $1";
    /// Newest first.
    ROLLOUTS_LIST = "SELECT id, change_id, phase, state, spec, version, reason, created_at, updated_at, ended_at
        FROM rollouts ORDER BY created_at DESC, id DESC LIMIT $1";
    /// Oldest first: that is the order in which they are driven.
    ROLLOUTS_ACTIVE = "SELECT id, change_id, phase, state, spec, version, reason, created_at, updated_at, ended_at
        FROM rollouts WHERE phase IN ('pending', 'running', 'soaking', 'paused', 'halted') ORDER BY created_at, id";

    WAVE_STARTED = "UPDATE waves SET started_at = COALESCE(started_at, $3) WHERE rollout_id = $1 AND number = $2";
    WAVE_ENDED = "UPDATE waves SET ended_at = COALESCE(ended_at, $3) WHERE rollout_id = $1 AND number = $2";
    WAVES_OF = "SELECT number, hosts, started_at, ended_at FROM waves WHERE rollout_id = $1 ORDER BY number";

    /// First end counts, and a refusal (nothing was done) makes room for a later end. Unknown orders insert nothing.
    OUTCOME_RECORD = "INSERT INTO host_outcomes (host_id, change_id, generation, kind, detail, steps_run, esxcli_calls,
            received_at, approval)
        SELECT p.host_id, p.change_id, p.generation, CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS BIGINT),
            CAST($7 AS BIGINT), CAST($8 AS BIGINT), CAST($9 AS TEXT)
        FROM plans p WHERE p.host_id = $1 AND p.change_id = $2 AND p.generation = $3
        ON CONFLICT (host_id, change_id, generation) DO UPDATE SET kind = excluded.kind, detail = excluded.detail,
            steps_run = excluded.steps_run, esxcli_calls = excluded.esxcli_calls, received_at = excluded.received_at,
            approval = excluded.approval
        WHERE host_outcomes.kind = 'refused' AND excluded.kind <> 'refused'";
    OUTCOME_KEEP_RECEIPT = "UPDATE host_outcomes SET signed_outcome = $4, receipt = $5, certificate = $6
        WHERE host_id = $1 AND change_id = $2 AND generation = $3";
    /// A host undid what it had committed.
    OUTCOME_UNDO = "UPDATE host_outcomes SET kind = $4, detail = $5, received_at = $6
        WHERE host_id = $1 AND change_id = $2 AND generation = $3 AND kind = 'committed'";
    OUTCOME_KNOWN = "SELECT 1 FROM host_outcomes WHERE host_id = $1 AND change_id = $2 AND generation = $3";
    OUTCOMES_OF = "SELECT host_id, change_id, generation, detail, steps_run, esxcli_calls, received_at, approval
        FROM host_outcomes WHERE change_id = $1 ORDER BY host_id, generation";
}

bulk_statements! {
    PLANS_ADD =
        "INSERT INTO plans (change_id, host_id, generation, digest, disruption, steps, desired, esxcli_lines) VALUES",
        "(#, #, #, #, #, #, #, #)", "";
    WAVES_ADD = "INSERT INTO waves (rollout_id, number, hosts) VALUES", "(#, #, #)", "";
}
