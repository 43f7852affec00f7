//! `tenure tenant create`

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::roles::revoke_unprinted;
use crate::cli::args::Limits;
use crate::cli::document::WithError;
use crate::cli::ui::Outcome;
use crate::cli::{Context, command_line, database, stop_on_signals};
use crate::error::{Code, Failure};
use crate::executor::RetryPolicy;
use crate::ident::Slug;
use crate::output::ErrorJson;
use crate::postgres::metadata::RunStatus;
use crate::settings::Settings;
use crate::sql::Condition;
use crate::tenant::Created;
use crate::tenant::create::text::Detail;
use crate::tenant::{
    self, After, Creation, Hook, IfExists, NewRole, NewTenant, RegistryValues, TenantOperation,
};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// Slug: a lower-case letter, then lower-case letters, digits and _; with [tenants] slug = "dns" also -
    #[arg(required_unless_present_any = ["from", "from_registry"], conflicts_with = "from")]
    slug: Option<String>,
    /// Display name [default: the slug]
    #[arg(long, conflicts_with = "from")]
    name: Option<String>,
    /// Template [default: from the settings]
    #[arg(long)]
    template: Option<String>,
    /// Template parameter; repeatable. With --from, the default for lines without a value
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    set: Vec<(String, String)>,
    /// Value of another column of the registry; repeatable. With --from, the default for lines without a value
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_key_value)]
    column: Vec<(String, String)>,
    /// CSV file with the columns slug and, optionally, name, template, set.KEY and columns of the registry; - for stdin
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Create the schemas of all registry rows that have none yet
    #[arg(long, conflicts_with_all = ["slug", "from", "name"])]
    from_registry: bool,
    /// Only the rows for which this SQL expression over the registry's columns is true
    #[arg(long = "where", value_name = "SQL", requires = "from_registry")]
    condition: Option<String>,
    /// Number of parallel connections with --from or --from-registry [default: based on cores and free connections, at most 16]
    #[arg(long, value_name = "N", conflicts_with = "slug", value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: Option<u16>,
    /// Retries per tenant after a lock timeout, a deadlock or a lost connection
    #[arg(long, value_name = "N", default_value_t = RetryPolicy::USUAL.retries)]
    retries: u32,
    /// Succeed if the tenant already exists
    #[arg(long)]
    if_not_exists: bool,
    /// Enable login for the tenant's role and print its password once; needs [tenants] roles = true
    #[arg(long)]
    login: bool,
    #[command(flatten)]
    limits: Limits,
}

pub(super) fn parse_key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) async fn create(context: &Context, args: &CreateArgs) -> Result<u8, Failure> {
    let project = database::project(context).await?;
    let set = values(&args.set)?;
    let columns = named_once("--column", &args.column)?;
    let condition = args.condition.as_deref().map(condition).transpose()?;
    // The result would repeat the URL, which may contain a password.
    if let Some(url) = args.slug.as_deref().filter(|slug| slug.contains("://")) {
        Slug::new(url)?;
    }
    let mut wanted = match (&args.from, &args.slug) {
        (Some(file), _) => from_file(file, args.template.as_deref(), (&set, &columns))?,
        (None, slug) => vec![NewTenant {
            slug: slug.clone().unwrap_or_default(),
            name: args.name.clone(),
            template: args.template.clone(),
            set: set.clone(),
            columns: columns.clone(),
        }],
    };
    let creation = Creation {
        // Another run may create the schema of a row meanwhile.
        if_exists: if args.if_not_exists || args.from_registry { IfExists::Accept } else { IfExists::Fail },
        limits: args.limits.or(project.settings.migrate),
        jobs: args.jobs.map(usize::from),
        retry_policy: RetryPolicy { retries: args.retries },
        after: After::All(Hook::of(&project.settings.tenants, &project.root)),
        role: role(args, &project.settings)?,
        registry_values: RegistryValues::Requested,
        command: command_line("tenant create"),
    };
    let mut connection = database::connect(context, &project.root).await?;
    if args.from_registry {
        let slugs = tenant::without_schema(&mut connection, &project, condition.as_ref()).await?;
        let of_row = |slug| NewTenant {
            slug,
            name: None,
            template: args.template.clone(),
            set: set.clone(),
            columns: columns.clone(),
        };
        wanted = slugs.into_iter().map(of_row).collect();
    }
    let is_list = args.from.is_some() || args.from_registry;
    let (mut progress, stop) = (context.ui.progress(), stop_on_signals(context.ui));
    let created =
        Box::pin(tenant::create(&mut connection, &project, &wanted, &creation, (&mut progress, &stop)))
            .await?;
    // The failure of a single tenant is also the command's failure.
    let error = match created.failures.as_slice() {
        [failed] if !is_list => Some(ErrorJson::from(&failed.failure)),
        _ => None,
    };
    let document =
        WithError { document: CreateResult { outcome: created.ending(), created: &created }, error };
    let ui_outcome = if created.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    let detail = if context.ui.is_verbose() { Detail::All } else { Detail::Summary };
    let text = |paint| tenant::create::text::created(&created, detail, paint);
    let with_password = created.created.iter().filter(|tenant| tenant.password.is_some());
    let with_password: Vec<_> = with_password.map(|tenant| tenant.schema.clone()).collect();
    if with_password.is_empty() {
        context.ui.outcome(ui_outcome, &document, text)?;
    } else if let Err(failure) = context.ui.secret(ui_outcome, &document, text) {
        let operation = TenantOperation {
            settings: &project.settings,
            limits: creation.limits,
            command: creation.command.clone(),
        };
        return Err(revoke_unprinted(&mut connection, &operation, &with_password, failure).await);
    }
    connection.close().await;
    Ok(match created.failures.as_slice() {
        [failed] if !is_list => failed.failure.class().exit_code(),
        _ => created.ending().exit_code(),
    })
}

/// The result of `tenant create`.
#[derive(Debug, JsonSchema, Serialize)]
pub(in crate::cli) struct CreateResult<'a> {
    outcome: RunStatus,
    #[serde(flatten)]
    created: &'a Created,
}

fn role(args: &CreateArgs, settings: &Settings) -> Result<NewRole, Failure> {
    match (settings.tenants.roles, args.login) {
        (true, true) => Ok(NewRole::Login),
        (true, false) => Ok(NewRole::Closed),
        (false, false) => Ok(NewRole::None),
        (false, true) => Err(Failure::new(
            Code::Usage,
            "--login requires tenant roles, which are disabled in this project",
        )
        .hint("set roles = true under [tenants] in tenure.toml")),
    }
}

/// The values of `--set`, each given once.
pub(super) fn values(given: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    named_once("--set", given)
}

/// The condition of `--where`.
fn condition(text: &str) -> Result<Condition, Failure> {
    Condition::parse(text).map_err(|why| {
        Failure::new(Code::Usage, format!("--where: {why}"))
            .hint("for example: --where \"plan = 'pro'\", an expression over the registry's columns")
    })
}

fn named_once(flag: &str, given: &[(String, String)]) -> Result<BTreeMap<String, String>, Failure> {
    let mut set = BTreeMap::new();
    for (key, value) in given {
        if set.insert(key.clone(), value.clone()).is_some() {
            return Err(Failure::new(Code::Usage, format!("{flag} contains {key:?} more than once")));
        }
    }
    Ok(set)
}

fn from_file(
    file: &Path,
    template: Option<&str>,
    (set, columns): (&BTreeMap<String, String>, &BTreeMap<String, String>),
) -> Result<Vec<NewTenant>, Failure> {
    let io = |error: std::io::Error| Failure::new(Code::Io, format!("{}: {error}", file.display()));
    let (shown, text) = if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(io)?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::new(Code::NotUtf8, "stdin is not UTF-8"))?;
        ("stdin".to_owned(), text)
    } else {
        let source = crate::project::read(file, &file.display().to_string()).map_err(|failure| {
            let is_stream = std::fs::metadata(file).is_ok_and(|file| !file.is_file() && !file.is_dir());
            if is_stream { failure.hint("to read the list from a pipe, pass `--from -`") } else { failure }
        })?;
        (source.file.clone(), source.text.clone())
    };
    let mut wanted = tenant::from_csv(&shown, text.trim_start_matches('\u{feff}'))?;
    for tenant in &mut wanted {
        tenant.template = tenant.template.take().or_else(|| template.map(str::to_owned));
        for (key, value) in set {
            tenant.set.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (name, value) in columns {
            tenant.columns.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(wanted)
}
