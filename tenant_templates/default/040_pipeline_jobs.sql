CREATE TABLE {org_schema}.pipeline_jobs (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id UUID REFERENCES workspaces(id),
    job_type VARCHAR(50) NOT NULL, -- 'full_refresh', 'incremental', 'mapping_test'
    status VARCHAR(50) NOT NULL DEFAULT 'pending',
    -- 'pending', 'running', 'completed', 'failed'
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    error_message TEXT,
    run_metadata JSONB DEFAULT '{}',
    -- Rows processed, duration, etc.
    created_by UUID REFERENCES datalinx_platform.users(id)
);

CREATE INDEX idx_jobs_status ON pipeline_jobs(status)
WHERE status IN ('pending', 'running');
