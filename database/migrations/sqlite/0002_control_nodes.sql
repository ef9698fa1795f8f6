-- How far a long step is, in units of its own (bytes, mostly).
ALTER TABLE operation_steps ADD COLUMN progress_done INTEGER;
ALTER TABLE operation_steps ADD COLUMN progress_total INTEGER;

-- Each run of a control node, from its start (or its return under a new identity) until it left in an orderly way.
CREATE TABLE control_nodes (
    id TEXT NOT NULL PRIMARY KEY,
    -- What to fence so that it can write to Ceph no more: a JSON list of ip:port/nonce.
    addresses TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    -- From then on its leases are not renewed any more: others are fencing it.
    condemned_at INTEGER,
    -- From then on Ceph takes nothing of it any more, so what it worked on may be taken over.
    fenced_at INTEGER
) STRICT;

CREATE INDEX operations_of_node ON operations (lease_owner) WHERE status IN ('running', 'undoing');
CREATE INDEX operations_by_start ON operations (started_at, id);
CREATE INDEX operations_open ON operations (started_at, id) WHERE finished_at IS NULL;
