-- A claim takes no more of a provider's jobs than it has places, so it must know whose they are without their documents.

-- The default is for the rows that are there; SQLite adds no column without one. Every later row brings its own.
ALTER TABLE jobs ADD COLUMN provider TEXT NOT NULL DEFAULT '';

-- A document that cannot be read must not stop the others: its job keeps the default, and is claimed and logged as ever.
UPDATE jobs SET provider = coalesce(json_extract(document, '$.provider'), '') WHERE json_valid(document);

-- One queue for each provider. The lease is included so that leased jobs are passed over in the index.
DROP INDEX jobs_by_due_time;

CREATE INDEX jobs_by_provider_and_due_time ON jobs (provider, due_time, job_id, lease_until)
WHERE due_time IS NOT NULL;

-- Leases are renewed by job now.
DROP INDEX jobs_by_lease_owner;

PRAGMA user_version = 2;
