-- What is counted so far: kept in the transaction that moves the consumer's offset, so each event is in it once.
CREATE TABLE IF NOT EXISTS partitions (
    partition     integer PRIMARY KEY,
    last_position bigint  NOT NULL
) WITH (fillfactor = 70);
-- The types that have counts of their own, whichever partition they came in: as many as there may be label pairs.
CREATE TABLE IF NOT EXISTS types (
    entity_type text COLLATE "C" NOT NULL,
    event_type  text COLLATE "C" NOT NULL,
    PRIMARY KEY (entity_type, event_type)
);
CREATE TABLE IF NOT EXISTS counts (
    partition   integer NOT NULL,
    entity_type text    COLLATE "C" NOT NULL,
    event_type  text    COLLATE "C" NOT NULL,
    events      bigint  NOT NULL,
    crud        bigint  NOT NULL,
    PRIMARY KEY (partition, entity_type, event_type)
) WITH (fillfactor = 70);
