CREATE TABLE {org_schema}.mappings (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id UUID REFERENCES workspaces(id),
    target_table VARCHAR(255) NOT NULL,
    source_table VARCHAR(255) NOT NULL,
    field_mappings JSONB NOT NULL,
    -- Example: {"customer_id": {"source": "cust_id", "transform": null}}
    decorators JSONB DEFAULT '[]',
    -- Example: [{"type": "identity_resolution", "config": {...}}]
    cte_definitions JSONB DEFAULT '[]',
    status VARCHAR(50) DEFAULT 'draft',
    version INTEGER DEFAULT 1,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);

CREATE INDEX idx_mappings_workspace ON mappings(workspace_id);
CREATE INDEX idx_mappings_field_mappings ON mappings
USING GIN (field_mappings);
