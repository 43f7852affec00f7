-- Migration: v1.0.2 to v1.0.3
-- Description: Add settings column to workspaces
BEGIN;
-- Add column
ALTER TABLE workspaces
ADD COLUMN IF NOT EXISTS settings JSONB DEFAULT '{}';
-- Update version
UPDATE datalinx_platform.schema_version
SET version = '1.0.3', applied_at = NOW();
COMMIT;
