-- What these entities are so far.
SELECT kept.entity_type, kept.id, kept.version, kept.position,
       (extract(epoch FROM kept.created_at) * 1000000)::bigint, (extract(epoch FROM kept.modified_at) * 1000000)::bigint,
       kept.deleted_at, kept.body
  FROM json_to_recordset(%(streams)s::json) AS given (entity_type text, id text)
  JOIN entities AS kept ON kept.entity_type = given.entity_type COLLATE "C" AND kept.id = given.id COLLATE "C"
