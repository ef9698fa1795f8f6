-- Users say more of themselves; roles that administrators make; application credentials.

ALTER TABLE users ADD COLUMN description TEXT;
ALTER TABLE users ADD COLUMN email TEXT;

-- What `role_assignments.role` names is one of the program's roles by its word, or one of these by its id.
CREATE TABLE custom_roles (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT
) STRICT;

CREATE TABLE application_credentials (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    secret_hash TEXT NOT NULL,
    roles TEXT NOT NULL,
    expires_at INTEGER,
    may_delegate INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (user_id, name)
) STRICT;

CREATE INDEX application_credentials_of_project ON application_credentials (project_id);

-- Words with blanks between them, the first method first.
ALTER TABLE tokens ADD COLUMN methods TEXT NOT NULL DEFAULT 'password';
ALTER TABLE tokens ADD COLUMN application_credential_id TEXT REFERENCES application_credentials (id) ON DELETE CASCADE;

CREATE INDEX tokens_of_application_credential ON tokens (application_credential_id) WHERE application_credential_id IS NOT NULL;
