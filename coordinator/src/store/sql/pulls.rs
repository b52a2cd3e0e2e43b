//! Statements on pull requests. See the rules in `sql`.

statements! {
    PULL_PUT = "INSERT INTO pull_requests (forge, number, title, author, state, head, merged_commit, reviewed, reviewed_at,
            facts, said, done, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (forge, number) DO UPDATE SET title = excluded.title, author = excluded.author,
            state = excluded.state, head = excluded.head, merged_commit = excluded.merged_commit,
            reviewed = excluded.reviewed, reviewed_at = excluded.reviewed_at, facts = excluded.facts,
            said = excluded.said, done = excluded.done, updated_at = excluded.updated_at";
    PULL_GET = "SELECT number, title, author, state, head, merged_commit, reviewed, reviewed_at, facts, said, done, updated_at
        FROM pull_requests WHERE forge = $1 AND number = $2";
    PULLS_UNFINISHED = "SELECT number, title, author, state, head, merged_commit, reviewed, reviewed_at, facts, said, done,
            updated_at
        FROM pull_requests WHERE forge = $1 AND done = 0 ORDER BY number LIMIT $2";
    /// Deliveries that were dealt with long ago.
    INBOX_PRUNE = "DELETE FROM inbox WHERE processed_at IS NOT NULL AND processed_at < $1";
}
