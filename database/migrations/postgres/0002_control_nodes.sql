-- How far a long step is, in units of its own (bytes, mostly).
ALTER TABLE operation_steps ADD COLUMN progress_done BIGINT;
ALTER TABLE operation_steps ADD COLUMN progress_total BIGINT;

-- Each run of a control node, from its start (or its return under a new identity) until it left in an orderly way.
CREATE TABLE control_nodes (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- What to fence so that it can write to Ceph no more: a JSON list of ip:port/nonce.
    addresses TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    -- From then on its leases are not renewed any more: others are fencing it.
    condemned_at BIGINT,
    -- From then on Ceph takes nothing of it any more, so what it worked on may be taken over.
    fenced_at BIGINT
);

CREATE INDEX operations_of_node ON operations (lease_owner) WHERE status IN ('running', 'undoing');
CREATE INDEX operations_by_start ON operations (started_at, id);
CREATE INDEX operations_open ON operations (started_at, id) WHERE finished_at IS NULL;
