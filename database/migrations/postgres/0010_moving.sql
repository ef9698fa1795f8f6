-- What a moved or resized instance goes back to when it is reverted, as JSON; nothing in other states.
ALTER TABLE instances ADD COLUMN before_resize TEXT COLLATE "C";

CREATE INDEX instances_resized ON instances (id) WHERE state = 'resized';

-- An instance that is being moved, or that was and may still go back, has room on two hosts: 'home' is the claim
-- where its row says that it is, 'other' the one that it goes to or comes from.
ALTER TABLE claims ADD COLUMN role TEXT COLLATE "C" NOT NULL DEFAULT 'home' CHECK (role IN ('home', 'other'));
ALTER TABLE claims ALTER COLUMN role DROP DEFAULT;
ALTER TABLE claims DROP CONSTRAINT claims_pkey;
ALTER TABLE claims ADD PRIMARY KEY (instance_id, role);
