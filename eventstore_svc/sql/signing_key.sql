-- What services of this log sign with.
SELECT key FROM signing_key
