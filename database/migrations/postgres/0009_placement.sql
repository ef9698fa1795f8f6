-- Host aggregates, server groups, and why instances went where they did.

CREATE TABLE aggregates (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    metadata TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT
);

CREATE TABLE aggregate_hosts (
    aggregate_number BIGINT NOT NULL REFERENCES aggregates (number),
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    PRIMARY KEY (aggregate_number, host_id)
);

CREATE INDEX aggregates_of_host ON aggregate_hosts (host_id);

CREATE TABLE server_groups (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    max_per_host BIGINT,
    created_at BIGINT NOT NULL,
    -- Counts up with each new member: writing it is how a placement locks the group.
    placements BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX server_groups_of_project ON server_groups (project_id, created_at, id);

CREATE TABLE server_group_members (
    instance_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES instances (id),
    group_id TEXT COLLATE "C" NOT NULL REFERENCES server_groups (id) ON DELETE CASCADE
);

CREATE INDEX server_group_members_of_group ON server_group_members (group_id, instance_id);

-- The hints that an instance was asked for with.
CREATE TABLE scheduler_hints (
    instance_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES instances (id),
    hints TEXT COLLATE "C" NOT NULL
);

CREATE TABLE placement_records (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id),
    record TEXT COLLATE "C" NOT NULL
);

CREATE INDEX placement_records_of_instance ON placement_records (instance_id, number);

-- Counts up whenever an aggregate of the host changes, so that a choice made before is told from one made after.
ALTER TABLE hosts ADD COLUMN rules BIGINT NOT NULL DEFAULT 0;
-- Guests that could not be made there since the last one that could.
ALTER TABLE hosts ADD COLUMN failed_builds BIGINT NOT NULL DEFAULT 0;

CREATE INDEX instances_at_work ON instances (host_id) WHERE task IS NOT NULL;
