-- Lists leave it out where nobody asks for it.
ALTER TABLE images ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
-- Why the last upload did not become the image's data.
ALTER TABLE images ADD COLUMN failure TEXT;

-- The projects that an image was shared with, and what they said to that.
CREATE TABLE image_members (
    image_id TEXT NOT NULL REFERENCES images (id),
    project_id TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (image_id, project_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX image_members_of_project ON image_members (project_id, status, image_id);
