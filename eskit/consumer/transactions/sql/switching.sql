-- The bounds of a transaction that holds others up: should we stand still in it, it ends without us. No view is made
-- or prepared meanwhile.
SELECT set_config('idle_in_transaction_session_timeout', %(hold_ms)s::bigint::text, true),
       pg_advisory_xact_lock(hashtext('eskit view'))
