-- Epochs come from one sequence, so that none is given out twice: also not for a partition whose row was deleted, whose
-- last owner may still be alive.

CREATE SEQUENCE epochs;
COMMENT ON SEQUENCE epochs IS 'The next claim''s epoch, of whatever partition.';
SELECT setval('epochs', max(epoch)) FROM offsets HAVING max(epoch) > 0;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SEQUENCE epochs TO %I', 'eskit_' || current_schema() || '_writer');
END $$;
