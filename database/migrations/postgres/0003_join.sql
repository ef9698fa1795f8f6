-- Hosts show certificates: no token of theirs is kept.
ALTER TABLE hosts DROP COLUMN token_sha256;
-- The newest of the host's cephx identities is ceph_generation, and this is the oldest that may still be in use.
ALTER TABLE hosts ADD COLUMN oldest_ceph_generation BIGINT NOT NULL DEFAULT 1;
-- A cephx identity that the host's configuration names in the place of ours.
ALTER TABLE hosts ADD COLUMN shared_ceph_client TEXT COLLATE "C";

-- The newest generation that a removed host of that name had: the next host of that name begins after it, so that no
-- late command ever revives an old identity.
CREATE TABLE removed_hosts (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ceph_generation BIGINT NOT NULL
);

CREATE TABLE host_join_tokens (
    token_sha256 BYTEA NOT NULL PRIMARY KEY,
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- By whom it was used: the key that was certified, and the address from which it came.
    used_at BIGINT,
    used_from TEXT COLLATE "C",
    public_key_sha256 BYTEA
);

CREATE INDEX host_join_tokens_of_host ON host_join_tokens (host_id);
CREATE INDEX host_join_tokens_by_expiry ON host_join_tokens (expires_at);

-- The certificates that are honoured; the SHA-256 is that of the whole certificate (DER).
CREATE TABLE host_certificates (
    certificate_sha256 BYTEA NOT NULL PRIMARY KEY,
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX host_certificates_of_host ON host_certificates (host_id);

CREATE TABLE host_events (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    host_id TEXT COLLATE "C" NOT NULL REFERENCES hosts (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL
);

CREATE INDEX host_events_of_host ON host_events (host_id, at, id);
