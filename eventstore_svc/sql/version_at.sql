-- The version of a stream when the log ended at a position, or at a moment (NULL: leave that out).
SELECT version_at(%(entity_type)s, %(originator_id)s,
                  least(%(position)s::bigint, CASE WHEN %(at)s::timestamptz IS NOT NULL THEN position_at(%(at)s) END))
