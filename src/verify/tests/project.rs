//! The example project in this repository has no finding.

use super::*;

#[test]
fn the_repositorys_own_project_has_no_finding() {
    let mut before = Schema::of_project(PLATFORM, true);
    for (name, sql) in FILES {
        let version = name.split("_to_v").nth(1).and_then(|rest| rest.split('_').next());
        let template = version.is_none();
        let script = parse(sql);
        let file = version.map_or(FileKind::Template, |version| FileKind::Migration { version });
        let filter = MetadataFilter { platform: PLATFORM, file };
        let body = filter.body(&script, |_| Some(Scope::Platform)).unwrap();
        let of_tenant = template || name.contains("workspace");
        let scope = if of_tenant { Scope::Tenant } else { Scope::Platform };
        let statements: Vec<_> = body.statements.iter().map(|statement| (statement, Some(scope))).collect();
        let kind = if template { Kind::Template(&[]) } else { Kind::Migration };
        let file = File {
            script: &script,
            replay: &before.replay(&script, statements.iter().copied()),
            kind,
            observed_effects: None,
            schemas: SCHEMAS,
        };
        assert_eq!(verify(&file, &Policy::default()), [], "{name}");
        for statement in &body.statements {
            before.apply(&script, statement, Some(scope));
        }
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "migrations/v0.0.0_to_v1.0.0_create_platform.sql",
        include_str!("../../../migrations/v0.0.0_to_v1.0.0_create_platform.sql"),
    ),
    (
        "migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql",
        include_str!("../../../migrations/v1.0.0_to_v1.0.1_add_mfa_columns.sql"),
    ),
    (
        "migrations/v1.0.1_to_v1.0.2_create_audit_log.sql",
        include_str!("../../../migrations/v1.0.1_to_v1.0.2_create_audit_log.sql"),
    ),
    (
        "migrations/v1.0.2_to_v1.0.3_add_workspace_settings.sql",
        include_str!("../../../migrations/v1.0.2_to_v1.0.3_add_workspace_settings.sql"),
    ),
    (
        "migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql",
        include_str!("../../../migrations/v1.0.3_to_v1.0.4_create_service_accounts.sql"),
    ),
    (
        "tenant_templates/default/010_workspaces.sql",
        include_str!("../../../tenant_templates/default/010_workspaces.sql"),
    ),
    (
        "tenant_templates/default/020_data_sources.sql",
        include_str!("../../../tenant_templates/default/020_data_sources.sql"),
    ),
    (
        "tenant_templates/default/030_mappings.sql",
        include_str!("../../../tenant_templates/default/030_mappings.sql"),
    ),
    (
        "tenant_templates/default/040_pipeline_jobs.sql",
        include_str!("../../../tenant_templates/default/040_pipeline_jobs.sql"),
    ),
];
