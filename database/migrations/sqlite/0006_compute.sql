-- Keypairs, quotas, access to flavors, and what users note on instances.

-- Users may be another service's, so their ids refer to no table here.
CREATE TABLE keypairs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    public_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (user_id, name)
) STRICT;

CREATE TABLE flavor_access (
    flavor_id TEXT NOT NULL REFERENCES flavors (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL,
    PRIMARY KEY (flavor_id, project_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX flavor_access_of_project ON flavor_access (project_id, flavor_id);

-- Limits of all projects, of one, and of one user in one; -1 is none.
CREATE TABLE quota_class_limits (
    resource TEXT NOT NULL PRIMARY KEY,
    hard_limit INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_limits (
    project_id TEXT NOT NULL,
    -- Empty for the project's own.
    user_id TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit INTEGER NOT NULL,
    PRIMARY KEY (project_id, user_id, resource)
) STRICT, WITHOUT ROWID;

-- Writing its row is how a transaction keeps others from counting what it is about to change.
CREATE TABLE quota_locks (
    scope TEXT NOT NULL PRIMARY KEY,
    writes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE instances ADD COLUMN public_key TEXT;
-- Each between commas, which none holds.
ALTER TABLE instances ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN locked_by TEXT;
ALTER TABLE instances ADD COLUMN locked_reason TEXT;
ALTER TABLE instances ADD COLUMN reservation_id TEXT;
ALTER TABLE instances ADD COLUMN launch_index INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN access_ipv4 TEXT;
ALTER TABLE instances ADD COLUMN access_ipv6 TEXT;
-- The flavor's, to be summed up.
ALTER TABLE instances ADD COLUMN vcpus INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN ram_mib INTEGER NOT NULL DEFAULT 0;
UPDATE instances SET vcpus = json_extract(flavor, '$.vcpus'), ram_mib = json_extract(flavor, '$.ram_mib');

CREATE INDEX instances_used ON instances (project_id, user_id, vcpus, ram_mib) WHERE state <> 'deleted';
