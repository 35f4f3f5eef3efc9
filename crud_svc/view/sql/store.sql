-- What entities have become. Versions only go up: a log that is read again, after a reset, changes nothing.
INSERT INTO entities AS kept (entity_type, id, version, position, created_at, modified_at, deleted_at, body, search)
SELECT entity_type, id, version, position, timestamptz 'epoch' + created_us * interval '1 microsecond',
       timestamptz 'epoch' + modified_us * interval '1 microsecond', deleted_at, body, coalesce(search, body)::jsonb
  FROM json_to_recordset(%(rows)s::json)
       AS new (entity_type text, id text, version integer, position bigint, created_us bigint, modified_us bigint,
               deleted_at integer, body text, search text)
ON CONFLICT (entity_type, id) DO UPDATE
   SET version = excluded.version, position = excluded.position, created_at = excluded.created_at,
       modified_at = excluded.modified_at, deleted_at = excluded.deleted_at, body = excluded.body, search = excluded.search
 WHERE kept.version < excluded.version
