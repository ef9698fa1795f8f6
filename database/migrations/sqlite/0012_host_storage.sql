-- Where hosts stand and how well they reach storage, as their agents say.
CREATE TABLE host_storage (
    host_id TEXT NOT NULL PRIMARY KEY REFERENCES hosts (id) ON DELETE CASCADE,
    -- As its configuration says it; NULL where its name says it.
    crush_location TEXT,
    localizes_reads INTEGER NOT NULL,
    -- How well it reaches storage, as JSON, and of that what placement weighs, in thousandths.
    health TEXT,
    quality INTEGER,
    reported_at INTEGER
) STRICT, WITHOUT ROWID;
