-- Objects of the database that belong to no schema, or to another server. Those of extensions are excluded.
WITH member AS (
    SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e' AND refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
)
SELECT 'event trigger ' || evtname AS object, 'an event trigger needs a superuser and acts on the whole database' AS because
FROM pg_catalog.pg_event_trigger t WHERE NOT EXISTS (SELECT FROM member
    WHERE (classid, objid) = ('pg_catalog.pg_event_trigger'::pg_catalog.regclass, t.oid))
UNION ALL SELECT 'publication ' || pubname, 'a publication belongs to one environment' FROM pg_catalog.pg_publication
UNION ALL SELECT 'foreign server ' || srvname, 'foreign servers and their user mappings belong to one environment'
FROM pg_catalog.pg_foreign_server
UNION ALL SELECT 'language ' || lanname, 'a language without an extension needs a superuser' FROM pg_catalog.pg_language l
WHERE l.oid >= 16384 AND NOT EXISTS (SELECT FROM member WHERE (classid, objid) = ('pg_catalog.pg_language'::pg_catalog.regclass, l.oid))
UNION ALL SELECT concat('cast ', pg_catalog.format_type(castsource, NULL), ' as ', pg_catalog.format_type(casttarget, NULL)),
    'a cast belongs to no schema'
FROM pg_catalog.pg_cast c
WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM member WHERE (classid, objid) = ('pg_catalog.pg_cast'::pg_catalog.regclass, c.oid))
    -- A range type has a cast of its own.
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND d.objid = c.oid
        AND d.deptype = 'i')
UNION ALL SELECT concat(count(*), ' large objects'), 'rows are not carried' FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0
UNION ALL SELECT concat('default privileges of role ', pg_catalog.pg_get_userbyid(defaclrole)), 'they apply to the whole database'
FROM pg_catalog.pg_default_acl WHERE defaclnamespace = 0
UNION ALL SELECT concat('setting ', setting, CASE WHEN setrole <> 0 THEN ' of role ' || pg_catalog.pg_get_userbyid(setrole) END),
    'ALTER DATABASE sets it for one database'
FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY 1
