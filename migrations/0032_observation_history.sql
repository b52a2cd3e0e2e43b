-- The history of observations is kept for a while, not for ever: what the retention pass looks for.

CREATE INDEX observations_by_time ON observations (received_at);
CREATE INDEX observations_by_content ON observations (host_id, hash);
