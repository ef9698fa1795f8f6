-- Users say more of themselves; roles that administrators make; application credentials.

ALTER TABLE users ADD COLUMN description TEXT COLLATE "C";
ALTER TABLE users ADD COLUMN email TEXT COLLATE "C";

-- What `role_assignments.role` names is one of the program's roles by its word, or one of these by its id.
CREATE TABLE custom_roles (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT COLLATE "C"
);

CREATE TABLE application_credentials (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C",
    secret_hash TEXT COLLATE "C" NOT NULL,
    roles TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT,
    may_delegate BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (user_id, name)
);

CREATE INDEX application_credentials_of_project ON application_credentials (project_id);

-- Words with blanks between them, the first method first.
ALTER TABLE tokens ADD COLUMN methods TEXT COLLATE "C" NOT NULL DEFAULT 'password';
ALTER TABLE tokens ADD COLUMN application_credential_id TEXT COLLATE "C"
    REFERENCES application_credentials (id) ON DELETE CASCADE;

CREATE INDEX tokens_of_application_credential ON tokens (application_credential_id) WHERE application_credential_id IS NOT NULL;
