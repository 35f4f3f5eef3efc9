-- Snapshots of several entities; one that is there already stays, unless another program wrote it, or it is of another log.
INSERT INTO snapshots AS kept (entity_type, originator_id, version, format, position, recorded_at, deleted_at, body)
SELECT entity_type, originator_id, version, %(format)s, position, recorded_at, deleted_at, body
  FROM unnest(%(entity_types)s::text[], %(originator_ids)s::text[], %(versions)s::integer[], %(positions)s::bigint[],
              %(recorded_ats)s::timestamptz[], %(deleted_ats)s::integer[], %(bodies)s::text[])
    AS given (entity_type, originator_id, version, position, recorded_at, deleted_at, body)
ON CONFLICT (entity_type, originator_id, version) DO UPDATE
   SET format = excluded.format, position = excluded.position, recorded_at = excluded.recorded_at,
       deleted_at = excluded.deleted_at, body = excluded.body
 WHERE kept.format <> excluded.format OR kept.recorded_at <> excluded.recorded_at
