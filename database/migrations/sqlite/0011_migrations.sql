-- The record of each move of an instance.
CREATE TABLE migrations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
    -- As they were called: hosts may be removed since.
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    old_flavor TEXT NOT NULL,
    new_flavor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX migrations_open ON migrations (instance_id) WHERE settled = 0;
CREATE INDEX migrations_of_instance ON migrations (instance_id, number);
CREATE INDEX migrations_changed ON migrations (updated_at);

-- Moves under way: few, whatever the number of instances.
CREATE INDEX claims_of_moves ON claims (instance_id) WHERE role = 'other';
