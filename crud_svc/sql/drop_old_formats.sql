-- Snapshots of other programs' formats, some at a time: nobody reads them any more.
DELETE FROM snapshots
 WHERE ctid IN (SELECT ctid FROM snapshots WHERE format < %(format)s LIMIT %(limit)s)
