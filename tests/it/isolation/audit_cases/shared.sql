CREATE TABLE datalinx_platform.shared_notes (tenant name, text text);
CREATE VIEW datalinx_platform.own_notes WITH (security_barrier) AS
    SELECT tenant, text FROM datalinx_platform.shared_notes WHERE tenant = current_user;
CREATE VIEW datalinx_platform.whoami AS SELECT current_user AS me, 'note' AS text;
ALTER TABLE datalinx_platform.shared_notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON datalinx_platform.shared_notes USING (tenant = current_user);
