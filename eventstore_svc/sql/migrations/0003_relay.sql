-- What the relay keeps: who is the active one, and which topic this log goes to.

CREATE TABLE relay_lease (
    only_row   boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    holder     text        NOT NULL,
    epoch      bigint      NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE relay_lease IS 'The active relay, on this database''s clock. A new holder gets a higher epoch.';
INSERT INTO relay_lease (holder, epoch, expires_at) VALUES ('nobody', 0, '-infinity');

CREATE TABLE relay_topic (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name       text    NOT NULL,
    partitions integer NOT NULL CHECK (partitions >= 1),
    topic_id   text    NOT NULL
);
COMMENT ON TABLE relay_topic IS 'The topic this log was first published to. Another one, or another number of partitions, is refused.';
