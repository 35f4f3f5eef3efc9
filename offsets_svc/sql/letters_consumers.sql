-- The consumers of which anything is set aside.
SELECT consumer, count(*) FROM parked GROUP BY consumer ORDER BY consumer LIMIT %(limit)s
