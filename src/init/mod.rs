//! Writes a project from a database that exists: the settings, the platform as a first migration, one tenant as a template; and proves
//! that a fresh database of these files equals the given one. Writes nothing to the database; the caller writes the files.

mod baseline;
mod existing;
mod proof;
mod recognize;
mod result;
pub mod text;

use std::path::Path;

pub use self::baseline::NotCarried;
use self::baseline::{Filter, Filtered, Platform, Rules};
use self::existing::Existing;
use self::proof::FreshDatabase;
pub use self::result::{FromSchema, Initialized, TenantGroup};
use crate::chain::Version;
use crate::error::{Code, Failure, did_you_mean};
use crate::ident::SchemaName;
use crate::postgres::catalog::{self, Kind, Property, SchemaSnapshot};
use crate::postgres::metadata::RunStatus;
use crate::postgres::server::Environment;
use crate::postgres::{self, Connection};
use crate::project::{MIGRATIONS, Project, Root, SETTINGS_FILE, TEMPLATES};
use crate::settings::Settings;
use crate::sql::{ORG_SCHEMA, OwnName, Scope, with_placeholder};
use crate::template::{Layout, NewFile, SchemaDump};

/// Writes a file of the project: its path in the project's folder, and its text.
pub type Write<'a> = &'a mut dyn FnMut(&str, &str) -> Result<(), Failure>;

/// What to write the files from.
#[derive(Debug, Clone, Copy)]
pub struct InitRequest<'a> {
    /// The project's folder.
    pub root: &'a Path,
    /// The settings of a `tenure.toml` that is there already; they are kept.
    pub settings: Option<&'a Settings>,
    /// The tenant's schema that becomes the template; by default the first of the largest group.
    pub tenant: Option<&'a str>,
    /// Where PostgreSQL's programs are.
    pub environment: &'a Environment,
}

/// Writes the files of a database, then compares a fresh database of them with it.
pub async fn from_database(
    connection: &mut Connection,
    request: InitRequest<'_>,
    write: Write<'_>,
) -> Result<Initialized, Failure> {
    // pg_dump's session settings would reach the pooler's next client.
    connection.require_session("`tenure init --from-database`, which runs pg_dump,")?;
    let mut files = Vec::new();
    let mut put = |path: String, text: &str| {
        write(&path, text)?;
        files.push(path);
        Ok::<_, Failure>(())
    };
    let recognized = match request.settings {
        Some(_) => None,
        None => Some(recognize::recognize(connection).await?),
    };
    let settings = match (&recognized, request.settings) {
        (Some(recognized), _) => recognized.settings.clone(),
        (None, given) => given.cloned().unwrap_or_default(),
    };
    let existing = Existing::read(connection, &settings).await?;
    if existing.tenants.iter().any(|tenant| tenant.version.is_some()) {
        return Err(Failure::new(
            Code::BaselineRefused,
            "the tenants of this database have versions: its files are in the project that migrated it",
        )
        .hint("`tenure template from-schema` writes a template of one schema"));
    }
    let groups = existing.groups();
    let source = source(&existing, &groups, request.tenant)?;
    let platform = settings.platform_schema();
    let tenants = existing.tenant_schemas();
    let rules = Rules { platform: &platform, tenants: &tenants, tenant_roles: &existing.tenant_roles };
    let dump = postgres::dump(connection.url(), &existing.shared, existing.major, request.environment)?;
    let (mut rows, mut django) = (Vec::new(), Vec::new());
    for schema in &existing.shared {
        let recorded = existing::django_migrations(connection, schema).await?;
        rows.extend(existing::django_rows(&recorded, &schema.quoted()));
        django.extend(recorded.into_iter().map(|(app, name)| format!("{app}.{name}")));
    }
    let views = existing::populated_views(connection, &existing.shared).await?;
    let tenant =
        tenant_files(connection, (&settings, &existing), (&existing.version, &source), request.environment)
            .await?;
    let mut filter = Filter::new(rules);
    let parts = Platform {
        dump: &dump,
        extensions: existing.server_objects.extensions(),
        roles: &tenant.filtered.roles,
        rows: &rows,
        django: &django,
        populated_views: &views,
    };
    let (name, text) = baseline::baseline(&existing.version, &parts, &mut filter)?;
    let filtered = filter.filtered();
    let mut not_carried = existing.outside.clone();
    not_carried.extend(filtered.not_carried.iter().chain(&tenant.filtered.not_carried).cloned());
    if let Some(recognized) = &recognized {
        put(SETTINGS_FILE.to_owned(), &recognized.text)?;
    }
    put(format!("{MIGRATIONS}/{name}"), &text)?;
    let project = Root::find(Some(request.root), request.root)?.load()?;
    let template = settings.tenants.template.clone();
    let at = (&existing.version, template.as_str());
    let mut fresh =
        Box::pin(FreshDatabase::create(&project, &existing, &existing.version, request.environment)).await?;
    let variants = (tenant.variants, &tenant.filtered);
    let chosen = fresh.choose(&project, &template, variants, (&source, &tenant.snapshot)).await;
    let files_of = chosen.as_ref().map_or_else(|(_, tried)| tried, |proved| &proved.files);
    // If none of the variants creates a schema, those of the first, which the failure is about.
    for (file, text) in files_of {
        put(format!("{TEMPLATES}/{template}/{file}"), text)?;
    }
    let proved = chosen.map_err(|(failure, _)| failure)?;
    let of_platform = fresh.shared_differences(connection, &existing, &filtered).await?;
    let drifted = proved.compare(connection, &existing, at).await?;
    fresh.close().await?;
    // The complete project.
    Root::find(Some(request.root), request.root)?.load()?;
    let is_proved = of_platform.is_empty() && proved.differences.is_empty();
    let is_equal = |schema: &SchemaName| !drifted.differences.iter().any(|line| line.schema == *schema);
    let groups = groups
        .into_iter()
        .map(|group| TenantGroup {
            tenants: group.schemas.len(),
            equal: group.schemas.first().is_some_and(is_equal),
            schemas: group.schemas,
        })
        .collect();
    let registry = (&platform, &settings.tenants.registry);
    Ok(Initialized {
        outcome: if is_proved { RunStatus::Done } else { RunStatus::Failed },
        files,
        platform: platform.clone(),
        registry: format!("{platform}.{}", settings.tenants.registry),
        schema_prefix: settings.tenants.schema_prefix.clone(),
        version: existing.version.clone(),
        has_version: existing.has_version,
        template,
        from_schema: source.clone(),
        proved: is_proved,
        tenants: drifted.tenants,
        groups,
        differences: of_platform.into_iter().chain(drifted.differences).collect(),
        not_carried,
        rows_needed: existing::referenced_tables(connection, &source, registry).await?,
        missing_schemas: existing.missing,
        unregistered_schemas: existing.unregistered,
        baseline: false,
    })
}

/// Makes a template of one schema, at the version of its tenant, or else of the platform.
pub async fn template_from_schema(
    connection: &mut Connection,
    project: &Project,
    (schema, name, version): (&str, &str, Option<&Version>),
    environment: &Environment,
) -> Result<FromSchema, Failure> {
    connection.require_session("`tenure template from-schema`, which runs pg_dump,")?;
    let mut existing = Existing::read(connection, &project.settings).await?;
    let source = source(&existing, &[], Some(schema))?;
    let own = existing.tenants.iter().find(|tenant| tenant.schema == source);
    if let Some(version) = version.cloned().or_else(|| own?.version.clone()) {
        existing.version = version;
    } else {
        if !existing.has_version {
            existing.version = project.chain.latest();
        }
        let at = &existing.version;
        let mut steps = project.chain.migrations().iter().filter(|step| step.to() <= at);
        if let Some(step) = steps.find(|step| step.has(Scope::Tenant)) {
            let message = format!(
                "the schema {schema} belongs to no tenant, so its version is unknown: it may be any from {} to {at}",
                step.from()
            );
            return Err(Failure::new(Code::Usage, message)
                .hint("pass --version with the last version whose tenant part the schema has; later steps run on it"));
        }
    }
    project.chain.find(&existing.version)?;
    let settings = &project.settings;
    let at = (&existing.version, &source);
    let tenant = tenant_files(connection, (settings, &existing), at, environment).await?;
    let mut fresh =
        Box::pin(FreshDatabase::create(project, &existing, &existing.version, environment)).await?;
    let variants = (tenant.variants, &tenant.filtered);
    let chosen = fresh.choose(project, name, variants, (&source, &tenant.snapshot)).await;
    let proved = chosen.map_err(|(failure, _)| failure)?;
    fresh.close().await?;
    let is_proved = proved.differences.is_empty();
    Ok(FromSchema {
        outcome: if is_proved { RunStatus::Done } else { RunStatus::Failed },
        template: name.to_owned(),
        version: existing.version.clone(),
        from_schema: source,
        proved: is_proved,
        differences: proved.differences,
        not_carried: tenant.filtered.not_carried,
        new_files: proved.files,
        files: Vec::new(),
    })
}

/// The schema that becomes the template.
fn source(
    existing: &Existing,
    groups: &[existing::Group],
    requested: Option<&str>,
) -> Result<SchemaName, Failure> {
    let schemas = || existing.tenants.iter().map(|tenant| &tenant.schema).chain(&existing.unregistered);
    let found = match requested {
        Some(name) => schemas().find(|schema| schema.as_str() == name).cloned(),
        None => groups.first().and_then(|group| group.schemas.first()).cloned(),
    };
    found.ok_or_else(|| {
        let name = requested.unwrap_or_default();
        let failure =
            Failure::new(Code::SchemaUnknown, format!("there is no tenant with the schema {name:?}"));
        match did_you_mean(name, schemas().map(SchemaName::as_str)) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })
}

/// The variants of a template's files, and what they leave out.
struct TenantFiles {
    variants: Vec<Vec<NewFile>>,
    filtered: Filtered,
    /// The schema that they were written from.
    snapshot: SchemaSnapshot,
}

/// Writes the files of a template from a dump of `source`.
async fn tenant_files(
    connection: &mut Connection,
    (settings, existing): (&Settings, &Existing),
    (version, source): (&Version, &SchemaName),
    environment: &Environment,
) -> Result<TenantFiles, Failure> {
    let dump = postgres::dump(connection.url(), std::slice::from_ref(source), existing.major, environment)?;
    let snapshot = catalog::snapshot(connection, source).await?;
    let recorded = existing::django_migrations(connection, source).await?;
    let rows: Vec<String> = existing::django_rows(&recorded, ORG_SCHEMA).into_iter().collect();
    let mut tenants = existing.tenant_schemas();
    tenants.remove(source.as_str());
    let platform = settings.platform_schema();
    let rules = Rules { platform: &platform, tenants: &tenants, tenant_roles: &existing.tenant_roles };
    // A schema whose name is only that of its tenant may be an ordinary word.
    let own_names = if settings.tenants.schema_prefix.is_empty() {
        [OwnName::AsSchema, OwnName::EveryWord]
    } else {
        [OwnName::EveryWord, OwnName::AsSchema]
    };
    let (mut variants, mut filter, mut unread) = (Vec::new(), Filter::new(rules), None);
    for own_name in own_names {
        let text = with_placeholder(&dump, source.as_str(), own_name);
        let dumped = SchemaDump::read(&text, &filled_views(&snapshot), |script, statement| {
            filter.keeps(script, statement)
        });
        let dumped = match dumped {
            Ok(dumped) => dumped,
            // The name may be a word of SQL, such as `order`.
            Err(failure) => {
                unread = Some(failure);
                continue;
            }
        };
        for layout in Layout::ALL {
            let files = dumped.files(version, (&rows, ""), layout);
            if !variants.contains(&files) {
                variants.push(files);
            }
        }
    }
    if let (true, Some(failure)) = (variants.is_empty(), unread) {
        return Err(failure);
    }
    Ok(TenantFiles { variants, filtered: filter.filtered(), snapshot })
}

/// The materialized views with rows.
fn filled_views(snapshot: &SchemaSnapshot) -> Vec<&str> {
    let views = snapshot.objects.iter().filter(|(key, object)| {
        key.kind == Kind::MaterializedView && !object.properties.has(Property::Populated)
    });
    views.map(|(key, _)| key.name.as_str()).collect()
}
