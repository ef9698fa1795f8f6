-- Keypairs, quotas, access to flavors, and what users note on instances.

-- Users may be another service's, so their ids refer to no table here.
CREATE TABLE keypairs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    public_key TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (user_id, name)
);

CREATE TABLE flavor_access (
    flavor_id TEXT COLLATE "C" NOT NULL REFERENCES flavors (id) ON DELETE CASCADE,
    project_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (flavor_id, project_id)
);

CREATE INDEX flavor_access_of_project ON flavor_access (project_id, flavor_id);

-- Limits of all projects, of one, and of one user in one; -1 is none.
CREATE TABLE quota_class_limits (
    resource TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hard_limit BIGINT NOT NULL
);

CREATE TABLE quota_limits (
    project_id TEXT COLLATE "C" NOT NULL,
    -- Empty for the project's own.
    user_id TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C" NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (project_id, user_id, resource)
);

-- Writing its row is how a transaction keeps others from counting what it is about to change.
CREATE TABLE quota_locks (
    scope TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    writes BIGINT NOT NULL
);

ALTER TABLE instances ADD COLUMN public_key TEXT COLLATE "C";
-- Each between commas, which none holds.
ALTER TABLE instances ADD COLUMN tags TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN locked_by TEXT COLLATE "C";
ALTER TABLE instances ADD COLUMN locked_reason TEXT COLLATE "C";
ALTER TABLE instances ADD COLUMN reservation_id TEXT COLLATE "C";
ALTER TABLE instances ADD COLUMN launch_index BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN access_ipv4 TEXT COLLATE "C";
ALTER TABLE instances ADD COLUMN access_ipv6 TEXT COLLATE "C";
-- The flavor's, to be summed up.
ALTER TABLE instances ADD COLUMN vcpus BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN ram_mib BIGINT NOT NULL DEFAULT 0;
UPDATE instances SET vcpus = (flavor::json ->> 'vcpus')::bigint, ram_mib = (flavor::json ->> 'ram_mib')::bigint;

CREATE INDEX instances_used ON instances (project_id, user_id, vcpus, ram_mib) WHERE state <> 'deleted';
