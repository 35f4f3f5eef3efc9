-- The rights of others on a schema, its tables, sequences and columns, as statements that give the same on another schema.
WITH rights AS (
    SELECT privilege_type, is_grantable, grantee, format('SCHEMA %%I', %(into)s::text) AS what, '' AS columns
      FROM pg_namespace, aclexplode(nspacl)
     WHERE nspname = %(schema)s AND grantee <> nspowner
    UNION ALL
    SELECT privilege_type, is_grantable, grantee,
           format('%%s %%I.%%I', CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, %(into)s::text, relname), ''
      FROM pg_class AS given, aclexplode(relacl)
     WHERE relnamespace = to_regnamespace(%(schema)s) AND grantee <> relowner
       AND EXISTS (SELECT FROM pg_class AS other
                    WHERE other.relnamespace = to_regnamespace(%(into)s) AND other.relname = given.relname)
    UNION ALL
    SELECT privilege_type, is_grantable, grantee,
           format('TABLE %%I.%%I', %(into)s::text, relname), format('(%%I)', attname)
      FROM pg_class AS given JOIN pg_attribute AS part ON attrelid = given.oid, aclexplode(attacl)
     WHERE relnamespace = to_regnamespace(%(schema)s) AND grantee <> relowner
       AND EXISTS (SELECT FROM pg_class AS other JOIN pg_attribute AS twin ON twin.attrelid = other.oid
                    WHERE other.relnamespace = to_regnamespace(%(into)s) AND other.relname = given.relname
                      AND twin.attname = part.attname)
)
SELECT format('GRANT %%s %%s ON %%s TO %%s%%s', privilege_type, columns, what,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM rights
 ORDER BY 1
