-- Times are Unix milliseconds. Secrets (tokens, session ids, links) are kept as SHA-256 only.

CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Append-only. Every publish and every change of standing is a row; the highest version is in force.
CREATE TABLE policies (
    version    INTEGER PRIMARY KEY,
    text       TEXT NOT NULL,
    standing   TEXT NOT NULL,
    author     TEXT NOT NULL,
    note       TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE TABLE members (
    address      TEXT PRIMARY KEY,
    created_ms   INTEGER NOT NULL,
    suspended_ms INTEGER
);

CREATE TABLE devices (
    id                     TEXT PRIMARY KEY,
    member                 TEXT NOT NULL,
    hostname               TEXT NOT NULL,
    os                     TEXT NOT NULL,
    os_version             TEXT NOT NULL,
    agent_version          TEXT NOT NULL,
    enrolled_ms            INTEGER NOT NULL,
    certificate_expires_ms INTEGER NOT NULL,
    contact_ms             INTEGER NOT NULL,
    dark                   INTEGER NOT NULL DEFAULT 0,
    revoked_ms             INTEGER,
    unenrolled_ms          INTEGER,
    policy_version         INTEGER NOT NULL DEFAULT 0,
    policy_refused         TEXT,
    spool_depth            INTEGER NOT NULL DEFAULT 0,
    servers                INTEGER NOT NULL DEFAULT 0,
    governed               INTEGER NOT NULL DEFAULT 0,
    coverage               TEXT NOT NULL DEFAULT '{"servers":[]}',
    findings               TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX devices_member ON devices (member);

CREATE TABLE enrolment_tokens (
    id           TEXT PRIMARY KEY,
    hash         BLOB NOT NULL UNIQUE,
    member       TEXT,
    uses         INTEGER NOT NULL,
    used         INTEGER NOT NULL DEFAULT 0,
    expires_ms   INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    created_by   TEXT NOT NULL,
    withdrawn_ms INTEGER
);

-- One device's log; `through` is what is durable of it.
CREATE TABLE chains (
    n       INTEGER PRIMARY KEY,
    device  TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    through INTEGER NOT NULL,
    head    BLOB NOT NULL,
    UNIQUE (device, epoch)
);

-- `json` is the record as the device sent it, byte for byte, so that its chain can be checked again;
-- the other columns are for searching.
CREATE TABLE records (
    n         INTEGER PRIMARY KEY,
    id        BLOB NOT NULL UNIQUE,
    chain     INTEGER NOT NULL,
    chain_seq INTEGER NOT NULL,
    time_ms   INTEGER NOT NULL,
    member    TEXT NOT NULL,
    device    TEXT NOT NULL,
    server    TEXT NOT NULL,
    tool      TEXT,
    kind      TEXT NOT NULL,
    decision  TEXT,
    run       BLOB NOT NULL,
    call      INTEGER,
    json      TEXT NOT NULL
);
CREATE INDEX records_time ON records (time_ms, n);
CREATE INDEX records_member ON records (member, time_ms, n);
CREATE INDEX records_run ON records (run, call);
CREATE INDEX records_refused ON records (time_ms, n) WHERE decision IN ('refused', 'would-refuse');

CREATE TABLE alerts (
    id              TEXT PRIMARY KEY,
    code            TEXT NOT NULL,
    severity        TEXT NOT NULL,
    device          TEXT NOT NULL,
    member          TEXT NOT NULL,
    subject         TEXT NOT NULL,
    detail          TEXT NOT NULL,
    state           TEXT NOT NULL,
    healed          INTEGER NOT NULL DEFAULT 0,
    since_ms        INTEGER NOT NULL,
    opened_ms       INTEGER NOT NULL,
    seen_ms         INTEGER NOT NULL,
    resolved_ms     INTEGER,
    acknowledged_ms INTEGER,
    acknowledged_by TEXT
);
-- One live alert for one matter.
CREATE UNIQUE INDEX alerts_live ON alerts (device, code, subject) WHERE state <> 'resolved';
CREATE INDEX alerts_opened ON alerts (opened_ms);
CREATE INDEX alerts_matter ON alerts (device, code, subject, since_ms);

CREATE TABLE webhooks (
    id         TEXT PRIMARY KEY,
    url        TEXT NOT NULL UNIQUE,
    secret     TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    created_by TEXT NOT NULL
);

-- Written in the same transaction as the alert's change, so that no alert is lost over a restart.
CREATE TABLE deliveries (
    n            INTEGER PRIMARY KEY,
    webhook      TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    alert        TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    due_ms       INTEGER NOT NULL,
    delivered_ms INTEGER,
    abandoned_ms INTEGER,
    last_error   TEXT
);
CREATE INDEX deliveries_due ON deliveries (due_ms) WHERE delivered_ms IS NULL AND abandoned_ms IS NULL;

CREATE TABLE admins (
    name          TEXT PRIMARY KEY,
    password_hash TEXT,
    created_ms    INTEGER NOT NULL
);

CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    admin      TEXT NOT NULL,
    csrf       TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL
);

CREATE TABLE login_links (
    hash       BLOB PRIMARY KEY,
    admin      TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
);

CREATE TABLE api_tokens (
    id         TEXT PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

-- What admins did: append-only.
CREATE TABLE deeds (
    n       INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    who     TEXT NOT NULL,
    what    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);
