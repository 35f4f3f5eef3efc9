-- What a view's schema holds beside the view: how far its consumers have come. Made with the view, dropped with it.
CREATE TABLE IF NOT EXISTS eskit_progress (
    consumer    text        COLLATE "C" NOT NULL,
    topic       text        COLLATE "C" NOT NULL,
    partition   integer     NOT NULL,
    epoch       bigint      NOT NULL,
    next_offset bigint,
    position    bigint,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 70);
-- Events that were set aside and have had their effect since: not again, should the process end before it has said so.
CREATE TABLE IF NOT EXISTS eskit_drained (
    consumer      text   COLLATE "C" NOT NULL,
    topic         text   COLLATE "C" NOT NULL,
    partition     integer NOT NULL,
    record_offset bigint NOT NULL,
    PRIMARY KEY (consumer, topic, partition, record_offset)
);
