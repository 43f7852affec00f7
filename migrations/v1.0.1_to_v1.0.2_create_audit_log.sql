-- Migration: v1.0.1 to v1.0.2
-- Description: Create the audit log
BEGIN;
CREATE TABLE datalinx_platform.audit_log (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id UUID REFERENCES organizations(id),
    user_id UUID REFERENCES users(id),
    action VARCHAR(100) NOT NULL,
    details JSONB DEFAULT '{}',
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE INDEX idx_audit_log_organization ON audit_log(organization_id, created_at);
CREATE INDEX idx_audit_log_user ON audit_log(user_id);
-- Update version
UPDATE datalinx_platform.schema_version
SET version = '1.0.2', applied_at = NOW();
COMMIT;
