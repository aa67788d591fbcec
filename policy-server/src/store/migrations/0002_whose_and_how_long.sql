-- Patterns that the claimed member must fit, separated by spaces. A token of before could enrol anybody.
ALTER TABLE enrolment_tokens ADD COLUMN members TEXT NOT NULL DEFAULT '';
ALTER TABLE enrolment_tokens ADD COLUMN any_member INTEGER NOT NULL DEFAULT 0;
UPDATE enrolment_tokens SET any_member = 1 WHERE member IS NULL;

-- The token it enrolled by; and when an admin forgot it (its records stay).
ALTER TABLE devices ADD COLUMN token TEXT;
ALTER TABLE devices ADD COLUMN removed_ms INTEGER;

-- Unsuccessful attempts in a row.
ALTER TABLE webhooks ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN failing_since_ms INTEGER;
