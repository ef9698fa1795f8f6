-- The disks beside the root disk, as JSON, in the order in which the guest sees them.
ALTER TABLE instances ADD COLUMN extra_disks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE instances ADD COLUMN config_drive INTEGER NOT NULL DEFAULT 0;

-- What guests run when they first boot. Apart from the instances, because it is large, never changes, and is in no list.
CREATE TABLE user_data (
    instance_id TEXT NOT NULL PRIMARY KEY REFERENCES instances (id),
    -- As the user sent it, in base64.
    user_data TEXT NOT NULL
) STRICT, WITHOUT ROWID;
