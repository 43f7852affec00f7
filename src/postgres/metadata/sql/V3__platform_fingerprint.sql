-- The fingerprint of the platform schema's definitions after the unit, in the row of a run's last unit with statements on the platform.
ALTER TABLE migration_history ADD COLUMN fingerprint text;
