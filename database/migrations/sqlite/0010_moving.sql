-- What a moved or resized instance goes back to when it is reverted, as JSON; nothing in other states.
ALTER TABLE instances ADD COLUMN before_resize TEXT;

CREATE INDEX instances_resized ON instances (id) WHERE state = 'resized';

-- An instance that is being moved, or that was and may still go back, has room on two hosts: 'home' is the claim
-- where its row says that it is, 'other' the one that it goes to or comes from.
CREATE TABLE claims_of_roles (
    instance_id TEXT NOT NULL REFERENCES instances (id),
    role TEXT NOT NULL CHECK (role IN ('home', 'other')),
    host_id TEXT NOT NULL REFERENCES hosts (id),
    vcpus INTEGER NOT NULL,
    ram_mib INTEGER NOT NULL,
    PRIMARY KEY (instance_id, role)
) STRICT, WITHOUT ROWID;

INSERT INTO claims_of_roles (instance_id, role, host_id, vcpus, ram_mib)
SELECT instance_id, 'home', host_id, vcpus, ram_mib FROM claims;

DROP TABLE claims;
ALTER TABLE claims_of_roles RENAME TO claims;
CREATE INDEX claims_of_host ON claims (host_id, vcpus, ram_mib);
