-- Times are microseconds since 1970 UTC, truth values 0 or 1, ids and JSON are text.

CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    enabled INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    enabled INTEGER NOT NULL,
    default_project_id TEXT,
    password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE role_assignments (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, project_id, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX role_assignments_of_project ON role_assignments (project_id);

CREATE TABLE tokens (
    token_sha256 BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT REFERENCES projects (id) ON DELETE CASCADE,
    role TEXT,
    audit_id TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tokens_by_expiry ON tokens (expires_at);
CREATE INDEX tokens_of_user ON tokens (user_id);
CREATE INDEX tokens_of_project ON tokens (project_id);

CREATE TABLE flavors (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT,
    vcpus INTEGER NOT NULL,
    ram_mib INTEGER NOT NULL,
    disk_gib INTEGER NOT NULL,
    ephemeral_gib INTEGER NOT NULL,
    swap_mib INTEGER NOT NULL,
    is_public INTEGER NOT NULL,
    is_disabled INTEGER NOT NULL,
    extra_specs TEXT NOT NULL
) STRICT;

CREATE INDEX flavors_by_ram ON flavors (ram_mib, id);

CREATE TABLE hosts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    token_sha256 BLOB NOT NULL UNIQUE,
    disabled INTEGER NOT NULL,
    disabled_reason TEXT,
    resources TEXT,
    boot_id TEXT,
    last_seen_at INTEGER,
    ceph_generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    -- Counts up with each claim: writing it is how a claim locks the host.
    placements INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE images (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL,
    name TEXT,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    protected INTEGER NOT NULL,
    disk_format TEXT,
    container_format TEXT,
    min_disk_gib INTEGER NOT NULL,
    min_ram_mib INTEGER NOT NULL,
    size_bytes INTEGER,
    virtual_size_bytes INTEGER,
    checksum TEXT,
    sha512 TEXT,
    tags TEXT NOT NULL,
    properties TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    generation INTEGER NOT NULL
) STRICT;

CREATE INDEX images_of_project ON images (project_id, created_at, id);
CREATE INDEX images_by_visibility ON images (visibility, created_at, id);
CREATE INDEX images_by_time ON images (created_at, id) WHERE status <> 'deleted';

CREATE TABLE instances (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    hostname TEXT NOT NULL,
    flavor_id TEXT NOT NULL,
    -- The flavor as it was when the instance was made.
    flavor TEXT NOT NULL,
    image_id TEXT,
    state TEXT NOT NULL,
    fault TEXT,
    task TEXT,
    power TEXT NOT NULL,
    host_id TEXT REFERENCES hosts (id),
    epoch INTEGER NOT NULL,
    running_allowed INTEGER,
    root_disk TEXT,
    metadata TEXT NOT NULL,
    key_name TEXT,
    availability_zone TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    launched_at INTEGER,
    deleted_at INTEGER,
    generation INTEGER NOT NULL,
    CHECK (running_allowed IS NULL OR running_allowed <= epoch)
) STRICT;

CREATE INDEX instances_of_project_live ON instances (project_id, created_at, id) WHERE state <> 'deleted';
CREATE INDEX instances_of_project ON instances (project_id, created_at, id);
CREATE INDEX instances_by_time_live ON instances (created_at, id) WHERE state <> 'deleted';
CREATE INDEX instances_by_time ON instances (created_at, id);
CREATE INDEX instances_of_host ON instances (host_id);
CREATE INDEX instances_of_image ON instances (image_id);

CREATE TABLE claims (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    vcpus INTEGER NOT NULL,
    ram_mib INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- With all that is summed up, so that the sum never reads the table.
CREATE INDEX claims_of_host ON claims (host_id, vcpus, ram_mib);

CREATE TABLE disk_clients (
    instance_id TEXT NOT NULL REFERENCES instances (id),
    epoch INTEGER NOT NULL,
    pool TEXT NOT NULL,
    image_id TEXT NOT NULL,
    address TEXT NOT NULL,
    host_id TEXT NOT NULL REFERENCES hosts (id),
    recorded_at INTEGER NOT NULL,
    -- When and how it was proven that it can no longer write.
    closed_at INTEGER,
    proof TEXT,
    PRIMARY KEY (instance_id, epoch, pool, image_id, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX disk_clients_of_host ON disk_clients (host_id);

CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status TEXT NOT NULL,
    next_step INTEGER NOT NULL,
    state TEXT NOT NULL,
    fault TEXT,
    cancel_requested INTEGER NOT NULL,
    lease_owner TEXT,
    -- Counts up each time that the operation is taken; stays when a lease is given back.
    lease_epoch INTEGER NOT NULL,
    lease_until INTEGER,
    started_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

-- One operation at a time works on a subject, and one may wait.
CREATE UNIQUE INDEX operations_active ON operations (subject_id) WHERE status IN ('running', 'undoing');
CREATE UNIQUE INDEX operations_waiting ON operations (subject_id) WHERE status = 'waiting';
CREATE INDEX operations_of_subject ON operations (subject_id, started_at, id);
CREATE INDEX operations_by_end ON operations (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE operation_steps (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    name TEXT NOT NULL,
    direction TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    result TEXT,
    message TEXT,
    PRIMARY KEY (operation_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    host_id TEXT NOT NULL REFERENCES hosts (id),
    instance_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    action TEXT NOT NULL,
    command TEXT NOT NULL,
    not_after INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    report TEXT,
    reported_at INTEGER
) STRICT;

CREATE INDEX commands_pending ON commands (host_id, sequence) WHERE report IS NULL AND withdrawn = 0;
CREATE INDEX commands_reported ON commands (reported_at) WHERE reported_at IS NOT NULL;
CREATE INDEX commands_withdrawn ON commands (not_after) WHERE withdrawn = 1;
