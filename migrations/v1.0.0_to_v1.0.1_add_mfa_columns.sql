-- Migration: v1.0.0 to v1.0.1
-- Description: Add columns for multi-factor authentication to users
BEGIN;
ALTER TABLE users ADD COLUMN IF NOT EXISTS mfa_enabled BOOLEAN DEFAULT FALSE;
ALTER TABLE users ADD COLUMN IF NOT EXISTS mfa_secret VARCHAR(255);
-- Update version
UPDATE datalinx_platform.schema_version
SET version = '1.0.1', applied_at = NOW();
COMMIT;
