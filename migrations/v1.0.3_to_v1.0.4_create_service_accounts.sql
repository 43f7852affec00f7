-- Migration: v1.0.3 to v1.0.4
-- Description: Create service accounts
BEGIN;
CREATE TABLE datalinx_platform.service_accounts (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id UUID NOT NULL REFERENCES organizations(id),
    name VARCHAR(255) NOT NULL,
    key_hash VARCHAR(255) NOT NULL,
    is_active BOOLEAN DEFAULT TRUE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    last_used_at TIMESTAMP WITH TIME ZONE
);
CREATE INDEX idx_service_accounts_organization ON service_accounts(organization_id);
-- Update version
UPDATE datalinx_platform.schema_version
SET version = '1.0.4', applied_at = NOW();
COMMIT;
