-- Names without a schema mean this one, to the end of the transaction.
SELECT set_config('search_path', %(schema)s::text, true)
