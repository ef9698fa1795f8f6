-- Lists leave it out where nobody asks for it.
ALTER TABLE images ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;
-- Why the last upload did not become the image's data.
ALTER TABLE images ADD COLUMN failure TEXT COLLATE "C";

-- The projects that an image was shared with, and what they said to that.
CREATE TABLE image_members (
    image_id TEXT COLLATE "C" NOT NULL REFERENCES images (id),
    project_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (image_id, project_id)
);

CREATE INDEX image_members_of_project ON image_members (project_id, status, image_id);
