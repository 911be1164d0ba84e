-- Jobs and their logs, accounts and their keys, the ledger. Times are microseconds since 1970 in UTC, money is micros.

CREATE TABLE accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    create_time INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
    key_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (account_id),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    create_time INTEGER NOT NULL,
    revoke_time INTEGER
) STRICT;

-- What each log adds up to, kept in the same transaction as the log. `document` is the whole job as JSON; the other
-- columns are what queries need of it, and who is driving it.
CREATE TABLE jobs (
    job_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    idempotency_key TEXT,
    model TEXT NOT NULL,
    state TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    due_time INTEGER,
    lease_owner TEXT,
    lease_until INTEGER,
    document TEXT NOT NULL,
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
) STRICT;

CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (key_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX jobs_by_account ON jobs (account_id, job_id);

CREATE INDEX jobs_by_account_and_model ON jobs (account_id, model, job_id);

-- The model is included so that a list of one state and one model passes over the others in the index.
CREATE INDEX jobs_by_account_and_state ON jobs (account_id, state, job_id, model);

-- Ended jobs are not due and take no room here. The lease is included so that leased jobs are passed over in the index.
CREATE INDEX jobs_by_due_time ON jobs (due_time, job_id, lease_until) WHERE due_time IS NOT NULL;

CREATE INDEX jobs_by_lease_owner ON jobs (lease_owner) WHERE lease_owner IS NOT NULL;

-- The truth about every job.
CREATE TABLE events (
    event_id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL REFERENCES jobs (job_id),
    sequence INTEGER NOT NULL CHECK (sequence > 0),
    kind TEXT NOT NULL,
    event_time INTEGER NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (job_id, sequence)
) STRICT;

CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- The truth about money. The platform's own accounts appear here and in `balances`, not in `accounts`.
CREATE TABLE transfers (
    position INTEGER PRIMARY KEY,
    transfer_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('credit', 'hold', 'post', 'void')),
    debit_account_id TEXT NOT NULL,
    credit_account_id TEXT NOT NULL,
    amount_micros INTEGER NOT NULL CHECK (amount_micros >= 0),
    currency TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    job_id TEXT REFERENCES jobs (job_id),
    hold_id TEXT REFERENCES transfers (transfer_id)
) STRICT;

-- A hold resolves at most once.
CREATE UNIQUE INDEX transfers_by_hold ON transfers (hold_id) WHERE hold_id IS NOT NULL;

CREATE INDEX transfers_by_debit_account ON transfers (debit_account_id);

CREATE INDEX transfers_by_credit_account ON transfers (credit_account_id);

CREATE TRIGGER transfers_resolve_like_their_hold BEFORE INSERT ON transfers WHEN NEW.hold_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a resolution repeats the accounts and the amount of its hold')
    WHERE NOT EXISTS (
        SELECT 1 FROM transfers AS hold
        WHERE hold.transfer_id = NEW.hold_id
            AND hold.kind = 'hold'
            AND hold.debit_account_id = NEW.debit_account_id
            AND hold.credit_account_id = NEW.credit_account_id
            AND hold.amount_micros = NEW.amount_micros
            AND hold.currency = NEW.currency
    );
END;

CREATE TRIGGER transfers_refuse_update BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;

CREATE TRIGGER transfers_refuse_delete BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;

-- What the transfers add up to, kept in the same transaction as they are.
CREATE TABLE balances (
    account_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    posted_micros INTEGER NOT NULL,
    held_micros INTEGER NOT NULL,
    PRIMARY KEY (account_id, currency)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
