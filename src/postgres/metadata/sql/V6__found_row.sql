-- Of a tenant whose registry row existed before: the row's schema name then, as JSON. If the tenant is not finished, the row is kept.
ALTER TABLE tenant_version ADD COLUMN found_row text;
