-- Where the write-ahead log was just before the first unit of a run. Like V1, it names nothing with its schema.
ALTER TABLE run
    ADD COLUMN wal_lsn pg_lsn,
    ADD COLUMN timeline integer,
    -- The name of the restore point, where the role could make one.
    ADD COLUMN restore_point text;

-- Marks the place. A role without the right to make restore points, or a server that keeps too little of the log for them, is no
-- failure: the place itself is noted. (As a CASE the call would need the right even where it is not made.)
CREATE FUNCTION tenure_mark_run(the_run uuid) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    place pg_lsn := pg_catalog.pg_current_wal_insert_lsn();
    named text;
BEGIN
    IF pg_catalog.current_setting('wal_level') <> 'minimal'
        AND pg_catalog.has_function_privilege('pg_catalog.pg_create_restore_point(text)', 'EXECUTE')
    THEN
        named := 'tenure_' || the_run;
        place := pg_catalog.pg_create_restore_point(named);
    END IF;
    UPDATE run SET wal_lsn = place, restore_point = named,
        timeline = ('x' || left(pg_catalog.pg_walfile_name(place), 8))::bit(32)::int
    WHERE id = the_run;
END
$$;
