-- What entities are: of each its last version, the document (a deleted one keeps its last), and what is searched in it.
CREATE TABLE IF NOT EXISTS entities (
    entity_type text        COLLATE "C" NOT NULL,
    id          text        COLLATE "C" NOT NULL,
    version     integer     NOT NULL,
    position    bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    deleted_at  integer     NOT NULL,
    body        text        COLLATE "C" NOT NULL,
    search      jsonb       NOT NULL,
    PRIMARY KEY (entity_type, id)
);
COMMENT ON COLUMN entities.deleted_at IS 'The version of the deletion; 0 for an entity that is there.';
COMMENT ON COLUMN entities.body IS 'The document, its numbers as they were sent.';
COMMENT ON COLUMN entities.search IS 'The same as jsonb takes it: filters and sorts read this.';
CREATE INDEX IF NOT EXISTS entities_present ON entities (entity_type, id) WHERE deleted_at = 0;

-- Indexes that were asked for; `relation` is the one to be built. Kept from the log, so a view that is built anew has them.
CREATE TABLE IF NOT EXISTS declared_indexes (
    entity_type text   COLLATE "C" NOT NULL,
    name        text   COLLATE "C" NOT NULL,
    fields      text[] COLLATE "C" NOT NULL,
    relation    text   COLLATE "C" NOT NULL,
    PRIMARY KEY (entity_type, name)
);

-- A text that stands among others (COLLATE "C") as the value stands among all values; crud_svc/view/keys.py has it, too.
-- Short, whatever the value: an entry of an index has its bounds.
CREATE OR REPLACE FUNCTION sort_key(value jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    number float8;
BEGIN
    IF jsonb_typeof(value) = 'number' THEN
        -- An integer may have more digits than a float.
        number := least(greatest(value::numeric, -1.7976931348623157e308), 1.7976931348623157e308);
    END IF;
    RETURN CASE jsonb_typeof(value)
        WHEN 'string' THEN '5' || "left"(value #>> '{}', 100)
        WHEN 'number' THEN
            CASE WHEN number >= 0 THEN '41' || encode(float8send(number), 'hex')
                 ELSE '40' || translate(encode(float8send(number), 'hex'), '0123456789abcdef', 'fedcba9876543210') END
        WHEN 'boolean' THEN CASE WHEN value = 'true'::jsonb THEN '3' ELSE '2' END
        WHEN 'null' THEN '1'
        WHEN 'array' THEN '6'
        WHEN 'object' THEN '7'
        ELSE '0' END;
END $$;
