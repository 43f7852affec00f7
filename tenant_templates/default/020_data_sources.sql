CREATE TABLE {org_schema}.data_sources (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id UUID REFERENCES workspaces(id),
    name VARCHAR(255) NOT NULL,
    source_type VARCHAR(50) NOT NULL, -- 'postgresql', 'snowflake', 'api', 'file'
    connection_config JSONB NOT NULL, -- Encrypted credentials
    schema_cache JSONB, -- Cached source schema
    last_schema_refresh TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    is_active BOOLEAN DEFAULT TRUE
);

CREATE INDEX idx_sources_workspace ON data_sources(workspace_id);
