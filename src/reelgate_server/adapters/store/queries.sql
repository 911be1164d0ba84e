-- Every statement of the SQLite store, by name. Readers of rows (`rows.py`) rely on the order of the columns.

-- name: insert_job!
INSERT INTO jobs (
    job_id, account_id, key_id, idempotency_key, model, provider, state, sequence, create_time, due_time, document
) VALUES (
    :job_id, :account_id, :key_id, :idempotency_key, :model, :provider, :state, :sequence, :create_time, :due_time,
    :document
);

-- name: update_job!
-- Only if nobody else has appended. The lease stays as it is. The provider is another once a job has moved on.
UPDATE jobs SET
    provider = :provider, state = :state, sequence = :sequence, due_time = :due_time, document = :document
WHERE job_id = :job_id AND sequence = :expected_sequence;

-- name: load_job^
SELECT document FROM jobs WHERE job_id = :job_id;

-- name: find_replay^
SELECT document FROM jobs WHERE key_id = :key_id AND idempotency_key = :idempotency_key;

-- name: load_sequence^
SELECT sequence FROM jobs WHERE job_id = :job_id;

-- name: list_jobs
-- The bound is an expression without columns, so that one statement serves the first page and the others.
SELECT document FROM jobs
WHERE account_id = :account_id AND job_id < coalesce(:before, '~')
ORDER BY job_id DESC
LIMIT :limit;

-- name: list_jobs_of_model
SELECT document FROM jobs
WHERE account_id = :account_id AND model = :model AND job_id < coalesce(:before, '~')
ORDER BY job_id DESC
LIMIT :limit;

-- name: list_jobs_of_states
-- One walk down an index for each state, cut short; they are merged by sorting what is left. A condition with IN would
-- read everything the account ever had in those states, and sort it. An array is how a page gets out of its walk.
SELECT document FROM jobs WHERE rowid IN (
    SELECT page.value
    FROM json_each(:states) AS wanted
    JOIN json_each((
        SELECT json_group_array(job) FROM (
            SELECT rowid AS job FROM jobs
            WHERE account_id = :account_id
                AND state = wanted.value
                AND job_id < coalesce(:before, '~')
                AND (:model IS NULL OR model = :model)
            ORDER BY job_id DESC
            LIMIT :limit
        )
    )) AS page
)
ORDER BY job_id DESC
LIMIT :limit;

-- name: insert_event!
INSERT INTO events (job_id, sequence, kind, event_time, document)
VALUES (:job_id, :sequence, :kind, :event_time, :document);

-- name: events_after
SELECT sequence, kind, document FROM events WHERE job_id = :job_id AND sequence > :sequence ORDER BY sequence;

-- name: list_providers
-- Of the jobs that are or will be due: one step down the index for each provider, however many jobs it has.
WITH RECURSIVE providers (provider) AS (
    SELECT min(provider) FROM jobs WHERE due_time IS NOT NULL
    UNION ALL
    SELECT (SELECT min(provider) FROM jobs WHERE due_time IS NOT NULL AND provider > providers.provider)
    FROM providers WHERE provider IS NOT NULL
)
SELECT provider FROM providers WHERE provider IS NOT NULL;

-- name: list_waiting
-- A provider's jobs that a claim may take, the longest due first.
SELECT due_time, job_id FROM jobs
WHERE provider = :provider
    AND due_time <= :now
    AND (lease_until IS NULL OR lease_until <= :now OR lease_until > :lease_until_max)
ORDER BY due_time, job_id
LIMIT :limit;

-- name: lease
-- RETURNING promises no order; the caller sorts. Documents come as bytes: over one that is no text the driver would
-- refuse them all.
UPDATE jobs SET lease_owner = :owner, lease_until = :lease_until
WHERE job_id IN (SELECT value FROM json_each(:job_ids))
RETURNING due_time, job_id, CAST(document AS BLOB);

-- name: renew!
-- `held` is a JSON object of owners by job. Never shortens a lease, whatever the order in which renewals arrive.
UPDATE jobs SET lease_until = max(jobs.lease_until, :lease_until)
FROM json_each(:held) AS held
WHERE jobs.job_id = held.key AND jobs.lease_owner = held.value;

-- name: undo_claim!
UPDATE jobs SET lease_owner = NULL, lease_until = NULL WHERE job_id = :job_id AND lease_owner = :owner;

-- name: release!
-- A due time that was chosen by a shorter log gives way to the one that came with the events since.
UPDATE jobs SET lease_owner = NULL, lease_until = NULL,
  due_time = CASE WHEN sequence = coalesce(:expected_sequence, sequence) THEN :due_time ELSE due_time END
WHERE job_id = :job_id AND lease_owner = :owner;

-- name: insert_account!
INSERT INTO accounts (account_id, name, plan, create_time) VALUES (:account_id, :name, :plan, :create_time);

-- name: find_account^
SELECT account_id, name, plan, create_time FROM accounts WHERE name = :name;

-- name: insert_key!
INSERT INTO keys (key_id, account_id, name, sha256, create_time, revoke_time)
VALUES (:key_id, :account_id, :name, :sha256, :create_time, :revoke_time);

-- name: revoke_key!
UPDATE keys SET revoke_time = coalesce(revoke_time, :revoke_time) WHERE key_id = :key_id;

-- name: find_key^
SELECT
    keys.key_id, keys.account_id, keys.name, keys.sha256, keys.create_time, keys.revoke_time,
    accounts.account_id, accounts.name, accounts.plan, accounts.create_time
FROM keys JOIN accounts ON accounts.account_id = keys.account_id
WHERE keys.sha256 = :sha256;

-- name: insert_transfer!
INSERT INTO transfers (
    transfer_id, kind, debit_account_id, credit_account_id, amount_micros, currency, create_time, job_id, hold_id
) VALUES (
    :transfer_id, :kind, :debit_account_id, :credit_account_id, :amount_micros, :currency, :create_time, :job_id,
    :hold_id
);

-- name: add_to_balance!
INSERT INTO balances (account_id, currency, posted_micros, held_micros)
VALUES (:account_id, :currency, :posted_micros, :held_micros)
ON CONFLICT (account_id, currency) DO UPDATE SET
    posted_micros = posted_micros + excluded.posted_micros,
    held_micros = held_micros + excluded.held_micros;

-- name: load_balance^
SELECT posted_micros, held_micros FROM balances WHERE account_id = :account_id AND currency = :currency;

-- name: find_transfer^
SELECT
    transfer_id, kind, debit_account_id, credit_account_id, amount_micros, currency, create_time, job_id, hold_id
FROM transfers WHERE transfer_id = :transfer_id;

-- name: list_transfers
SELECT
    position,
    transfer_id, kind, debit_account_id, credit_account_id, amount_micros, currency, create_time, job_id, hold_id
FROM transfers WHERE position < :before
ORDER BY position DESC
LIMIT :limit;

-- name: list_transfers_of_account
-- Two walks down an index, each cut short; one condition with OR would read and sort everything the account ever had.
SELECT
    position,
    transfer_id, kind, debit_account_id, credit_account_id, amount_micros, currency, create_time, job_id, hold_id
FROM transfers WHERE position IN (
    SELECT position FROM (
        SELECT position FROM transfers WHERE debit_account_id = :account_id AND position < :before
        ORDER BY position DESC LIMIT :limit
    )
    UNION
    SELECT position FROM (
        SELECT position FROM transfers WHERE credit_account_id = :account_id AND position < :before
        ORDER BY position DESC LIMIT :limit
    )
)
ORDER BY position DESC
LIMIT :limit;
