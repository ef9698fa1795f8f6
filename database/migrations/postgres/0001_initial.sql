-- Times are microseconds since 1970 UTC, truth values 0 or 1, ids and JSON are text. Text sorts by its
-- bytes, as in SQLite.

CREATE TABLE settings (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

CREATE TABLE projects (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT COLLATE "C" NOT NULL,
    enabled BIGINT NOT NULL
);

CREATE TABLE users (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    enabled BIGINT NOT NULL,
    default_project_id TEXT COLLATE "C",
    password_hash TEXT COLLATE "C" NOT NULL
);

CREATE TABLE role_assignments (
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, project_id, role)
);

CREATE INDEX role_assignments_of_project ON role_assignments (project_id);

CREATE TABLE tokens (
    token_sha256 BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT COLLATE "C" REFERENCES projects (id) ON DELETE CASCADE,
    role TEXT COLLATE "C",
    audit_id TEXT COLLATE "C" NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX tokens_by_expiry ON tokens (expires_at);
CREATE INDEX tokens_of_user ON tokens (user_id);
CREATE INDEX tokens_of_project ON tokens (project_id);

CREATE TABLE flavors (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT COLLATE "C",
    vcpus BIGINT NOT NULL,
    ram_mib BIGINT NOT NULL,
    disk_gib BIGINT NOT NULL,
    ephemeral_gib BIGINT NOT NULL,
    swap_mib BIGINT NOT NULL,
    is_public BIGINT NOT NULL,
    is_disabled BIGINT NOT NULL,
    extra_specs TEXT COLLATE "C" NOT NULL
);

CREATE INDEX flavors_by_ram ON flavors (ram_mib, id);

-- Written with every beat: room on each page keeps those updates out of the indexes.
CREATE TABLE hosts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    token_sha256 BYTEA NOT NULL UNIQUE,
    disabled BIGINT NOT NULL,
    disabled_reason TEXT COLLATE "C",
    resources TEXT COLLATE "C",
    boot_id TEXT COLLATE "C",
    last_seen_at BIGINT,
    ceph_generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Counts up with each claim: writing it is how a claim locks the host.
    placements BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE images (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    protected BIGINT NOT NULL,
    disk_format TEXT COLLATE "C",
    container_format TEXT COLLATE "C",
    min_disk_gib BIGINT NOT NULL,
    min_ram_mib BIGINT NOT NULL,
    size_bytes BIGINT,
    virtual_size_bytes BIGINT,
    checksum TEXT COLLATE "C",
    sha512 TEXT COLLATE "C",
    tags TEXT COLLATE "C" NOT NULL,
    properties TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE INDEX images_of_project ON images (project_id, created_at, id);
CREATE INDEX images_by_visibility ON images (visibility, created_at, id);
CREATE INDEX images_by_time ON images (created_at, id) WHERE status <> 'deleted';

CREATE TABLE instances (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    hostname TEXT COLLATE "C" NOT NULL,
    flavor_id TEXT COLLATE "C" NOT NULL,
    -- The flavor as it was when the instance was made.
    flavor TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    fault TEXT COLLATE "C",
    task TEXT COLLATE "C",
    power TEXT COLLATE "C" NOT NULL,
    host_id TEXT COLLATE "C" REFERENCES hosts (id),
    epoch BIGINT NOT NULL,
    running_allowed BIGINT,
    root_disk TEXT COLLATE "C",
    metadata TEXT COLLATE "C" NOT NULL,
    key_name TEXT COLLATE "C",
    availability_zone TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    launched_at BIGINT,
    deleted_at BIGINT,
    generation BIGINT NOT NULL,
    CHECK (running_allowed IS NULL OR running_allowed <= epoch)
) WITH (fillfactor = 80);

CREATE INDEX instances_of_project_live ON instances (project_id, created_at, id) WHERE state <> 'deleted';
CREATE INDEX instances_of_project ON instances (project_id, created_at, id);
CREATE INDEX instances_by_time_live ON instances (created_at, id) WHERE state <> 'deleted';
CREATE INDEX instances_by_time ON instances (created_at, id);
CREATE INDEX instances_of_host ON instances (host_id);
CREATE INDEX instances_of_image ON instances (image_id);

CREATE TABLE claims (
    instance_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES instances (id),
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id),
    vcpus BIGINT NOT NULL,
    ram_mib BIGINT NOT NULL
);

-- With all that is summed up, so that the sum never reads the table.
CREATE INDEX claims_of_host ON claims (host_id, vcpus, ram_mib);

CREATE TABLE disk_clients (
    instance_id TEXT COLLATE "C" NOT NULL REFERENCES instances (id),
    epoch BIGINT NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    image_id TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL,
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id),
    recorded_at BIGINT NOT NULL,
    -- When and how it was proven that it can no longer write.
    closed_at BIGINT,
    proof TEXT COLLATE "C",
    PRIMARY KEY (instance_id, epoch, pool, image_id, address)
);

CREATE INDEX disk_clients_of_host ON disk_clients (host_id);

CREATE TABLE operations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    next_step BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    fault TEXT COLLATE "C",
    cancel_requested BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    -- Counts up each time that the operation is taken; stays when a lease is given back.
    lease_epoch BIGINT NOT NULL,
    lease_until BIGINT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT
) WITH (fillfactor = 70);

-- One operation at a time works on a subject, and one may wait.
CREATE UNIQUE INDEX operations_active ON operations (subject_id) WHERE status IN ('running', 'undoing');
CREATE UNIQUE INDEX operations_waiting ON operations (subject_id) WHERE status = 'waiting';
CREATE INDEX operations_of_subject ON operations (subject_id, started_at, id);
CREATE INDEX operations_by_end ON operations (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE operation_steps (
    operation_id TEXT COLLATE "C" NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    direction TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    result TEXT COLLATE "C",
    message TEXT COLLATE "C",
    PRIMARY KEY (operation_id, sequence)
);

CREATE TABLE commands (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id),
    instance_id TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    not_after BIGINT NOT NULL,
    withdrawn BIGINT NOT NULL DEFAULT 0,
    report TEXT COLLATE "C",
    reported_at BIGINT
);

CREATE INDEX commands_pending ON commands (host_id, sequence) WHERE report IS NULL AND withdrawn = 0;
CREATE INDEX commands_reported ON commands (reported_at) WHERE reported_at IS NOT NULL;
CREATE INDEX commands_withdrawn ON commands (not_after) WHERE withdrawn = 1;
