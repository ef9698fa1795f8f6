-- Host aggregates, server groups, and why instances went where they did.

CREATE TABLE aggregates (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER
) STRICT;

CREATE TABLE aggregate_hosts (
    aggregate_number INTEGER NOT NULL REFERENCES aggregates (number),
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    PRIMARY KEY (aggregate_number, host_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX aggregates_of_host ON aggregate_hosts (host_id);

CREATE TABLE server_groups (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    policy TEXT NOT NULL,
    max_per_host INTEGER,
    created_at INTEGER NOT NULL,
    -- Counts up with each new member: writing it is how a placement locks the group.
    placements INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX server_groups_of_project ON server_groups (project_id, created_at, id);

CREATE TABLE server_group_members (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id),
    group_id TEXT NOT NULL REFERENCES server_groups (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX server_group_members_of_group ON server_group_members (group_id, instance_id);

-- The hints that an instance was asked for with.
CREATE TABLE scheduler_hints (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id),
    hints TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE placement_records (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    instance_id TEXT NOT NULL REFERENCES instances (id),
    record TEXT NOT NULL
) STRICT;

CREATE INDEX placement_records_of_instance ON placement_records (instance_id, number);

-- Counts up whenever an aggregate of the host changes, so that a choice made before is told from one made after.
ALTER TABLE hosts ADD COLUMN rules INTEGER NOT NULL DEFAULT 0;
-- Guests that could not be made there since the last one that could.
ALTER TABLE hosts ADD COLUMN failed_builds INTEGER NOT NULL DEFAULT 0;

CREATE INDEX instances_at_work ON instances (host_id) WHERE task IS NOT NULL;
