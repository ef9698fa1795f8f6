-- The record of each move of an instance.
CREATE TABLE migrations (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id),
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    operation_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    settled BIGINT NOT NULL CHECK (settled IN (0, 1)),
    -- As they were called: hosts may be removed since.
    source TEXT COLLATE "C" NOT NULL,
    destination TEXT COLLATE "C" NOT NULL,
    old_flavor TEXT COLLATE "C" NOT NULL,
    new_flavor TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX migrations_open ON migrations (instance_id) WHERE settled = 0;
CREATE INDEX migrations_of_instance ON migrations (instance_id, number);
CREATE INDEX migrations_changed ON migrations (updated_at);

-- Moves under way: few, whatever the number of instances.
CREATE INDEX claims_of_moves ON claims (instance_id) WHERE role = 'other';
