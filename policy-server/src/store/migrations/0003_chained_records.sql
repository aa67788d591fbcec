-- Every record keeps its place in its device's log, so that the whole can be verified by others: its
-- link, when it came, and its number in its run. A record that came a second time, byte for byte, keeps
-- its place in the second log too, but is a `repeat` and not found by a search.

CREATE TABLE records_chained (
    n           INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    chain       INTEGER NOT NULL,
    chain_seq   INTEGER NOT NULL,
    -- SHA-256(link of the record before || json); NULL where it came before links were kept.
    link        BLOB,
    received_ms INTEGER NOT NULL,
    repeat      INTEGER NOT NULL,
    time_ms     INTEGER NOT NULL,
    member      TEXT NOT NULL,
    device      TEXT NOT NULL,
    server      TEXT NOT NULL,
    tool        TEXT,
    kind        TEXT NOT NULL,
    decision    TEXT,
    run         BLOB NOT NULL,
    seq         INTEGER,
    call        INTEGER,
    json        TEXT NOT NULL,
    UNIQUE (chain, chain_seq)
);
INSERT INTO records_chained
    SELECT n, id, chain, chain_seq, NULL, time_ms, 0, time_ms, member, device, server, tool, kind, decision,
        run, NULL, call, json
    FROM records;
DROP TABLE records;
ALTER TABLE records_chained RENAME TO records;
CREATE INDEX records_id ON records (id);
CREATE INDEX records_time ON records (time_ms, n);
CREATE INDEX records_member ON records (member, time_ms, n);
CREATE INDEX records_run ON records (run, call);
CREATE INDEX records_run_seq ON records (run, seq);
CREATE INDEX records_refused ON records (time_ms, n) WHERE decision IN ('refused', 'would-refuse');

-- How far a run's numbers are here without a hole, and how far they go.
CREATE TABLE runs (
    run       BLOB NOT NULL,
    member    TEXT NOT NULL,
    device    TEXT NOT NULL,
    through   INTEGER NOT NULL,
    highest   INTEGER NOT NULL,
    stopped   INTEGER NOT NULL,
    -- Since when there is a hole; NULL where there is none.
    hole_ms   INTEGER,
    -- The hole was told.
    told      INTEGER NOT NULL,
    -- There is something to tell: a hole, or the end of one.
    unsettled INTEGER NOT NULL,
    PRIMARY KEY (run, member)
);
CREATE INDEX runs_unsettled ON runs (hole_ms) WHERE unsettled = 1;
