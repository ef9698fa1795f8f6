-- Hosts show certificates: no token of theirs is kept. SQLite cannot drop a column that is unique, so the table is
-- made again, and what refers to it is looked at when all is done.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE hosts_before AS
    SELECT id, name, disabled, disabled_reason, resources, boot_id, last_seen_at, ceph_generation, created_at, placements
    FROM hosts;

DROP TABLE hosts;

CREATE TABLE hosts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    disabled INTEGER NOT NULL,
    disabled_reason TEXT,
    resources TEXT,
    boot_id TEXT,
    last_seen_at INTEGER,
    -- The newest of the host's cephx identities, and the oldest that may still be in use.
    ceph_generation INTEGER NOT NULL,
    oldest_ceph_generation INTEGER NOT NULL DEFAULT 1,
    -- A cephx identity that the host's configuration names in the place of ours.
    shared_ceph_client TEXT,
    created_at INTEGER NOT NULL,
    -- Counts up with each claim: writing it is how a claim locks the host.
    placements INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO hosts (id, name, disabled, disabled_reason, resources, boot_id, last_seen_at, ceph_generation, created_at, placements)
    SELECT id, name, disabled, disabled_reason, resources, boot_id, last_seen_at, ceph_generation, created_at, placements
    FROM hosts_before;

DROP TABLE hosts_before;

-- The newest generation that a removed host of that name had: the next host of that name begins after it, so that no
-- late command ever revives an old identity.
CREATE TABLE removed_hosts (
    name TEXT NOT NULL PRIMARY KEY,
    ceph_generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE host_join_tokens (
    token_sha256 BLOB NOT NULL PRIMARY KEY,
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- By whom it was used: the key that was certified, and the address from which it came.
    used_at INTEGER,
    used_from TEXT,
    public_key_sha256 BLOB
) STRICT, WITHOUT ROWID;

CREATE INDEX host_join_tokens_of_host ON host_join_tokens (host_id);
CREATE INDEX host_join_tokens_by_expiry ON host_join_tokens (expires_at);

-- The certificates that are honoured; the SHA-256 is that of the whole certificate (DER).
CREATE TABLE host_certificates (
    certificate_sha256 BLOB NOT NULL PRIMARY KEY,
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX host_certificates_of_host ON host_certificates (host_id);

CREATE TABLE host_events (
    id TEXT NOT NULL PRIMARY KEY,
    host_id TEXT NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;

CREATE INDEX host_events_of_host ON host_events (host_id, at, id);
