//! `tenure branch create|list|delete|gc`

use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::ui::{Outcome, Ui, print_error};
use super::{Context, database, unless_interrupted};
use crate::branch::local::Local;
use crate::branch::neon::{Access, AccessSources, CONTEXT_FILE, Neon};
use crate::branch::{
    self, AnyProvider, BranchDeleted, BranchList, BranchName, BranchRequest, Content, Deleted, Guard, Kind,
    Notify, Provider as _, Secret, Severity, Urls, annotations, collect, pull_request,
};
use crate::error::{Code, Failure};
use crate::output::Text;
use crate::postgres::{ConnectPolicy, DatabaseUrl};
use crate::project;
use crate::settings::{Age, Expiry, Settings};

#[derive(Debug, Subcommand)]
pub(super) enum BranchVerb {
    /// Create a branch, or reset an existing one to its parent's current state; print its URL
    Create(CreateBranchArgs),
    /// List the branches that Tenure created
    List(ListBranchArgs),
    /// Delete a branch that Tenure created; succeeds if it does not exist
    Delete(DeleteBranchArgs),
    /// Delete old branches that Tenure created
    Gc(GcArgs),
}

/// A provider of branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProviderArg {
    /// A branch of a Neon project; needs NEON_API_KEY, and NEON_PROJECT_ID or a .neon file
    Neon,
    /// A copy of the database on the same server
    Local,
}

impl From<ProviderArg> for Kind {
    fn from(arg: ProviderArg) -> Self {
        match arg {
            ProviderArg::Neon => Self::Neon,
            ProviderArg::Local => Self::Local,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct CreateBranchArgs {
    /// Branch name [default: from the pull request number, else random]
    #[arg(value_parser = BranchNameParser)]
    name: Option<BranchName>,
    /// Branch provider
    #[arg(long, value_enum)]
    provider: ProviderArg,
    /// Branch or database to copy [default: from the settings, else the project's default branch or the
    /// database in the URL]
    #[arg(long, value_name = "NAME")]
    parent: Option<String>,
    /// Time until the branch is deleted automatically, such as 1h [default: from the settings, else 2h]
    #[arg(long, value_name = "DURATION")]
    expires: Option<Expiry>,
    /// Copy no rows except the schemas' versions
    #[arg(long)]
    schema_only: bool,
    #[command(flatten)]
    at: AtNeon,
}

/// The Neon project.
#[derive(Debug, Clone, Args)]
pub(super) struct AtNeon {
    /// Neon project ID [default: NEON_PROJECT_ID, else from the .neon file]
    #[arg(long, value_name = "ID")]
    pub(super) project_id: Option<String>,
}

/// The provider and project whose branches are listed or deleted.
#[derive(Debug, Clone, Args)]
pub(super) struct ProviderArgs {
    /// Branch provider [default: neon if NEON_API_KEY is set, else local]
    #[arg(long, value_enum)]
    provider: Option<ProviderArg>,
    #[command(flatten)]
    at: AtNeon,
}

#[derive(Debug, Args)]
pub(super) struct ListBranchArgs {
    #[command(flatten)]
    provider_args: ProviderArgs,
}

#[derive(Debug, Args)]
pub(super) struct DeleteBranchArgs {
    /// Branch name [default: from the pull request number]
    #[arg(value_parser = BranchNameParser)]
    name: Option<BranchName>,
    #[command(flatten)]
    provider_args: ProviderArgs,
}

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// Prefix of the branch names
    #[arg(long, value_name = "TEXT")]
    prefix: String,
    /// Minimum age, such as 1d
    #[arg(long, value_name = "DURATION")]
    older_than: Age,
    #[command(flatten)]
    provider_args: ProviderArgs,
}

/// Parses a branch name. clap's own parser would repeat the value, which may be a URL with a password.
#[derive(Debug, Clone, Copy)]
struct BranchNameParser;

impl clap::builder::TypedValueParser for BranchNameParser {
    type Value = BranchName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BranchName, clap::Error> {
        let invalid = |why: String| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{why}\n")).with_cmd(command)
        };
        value
            .to_str()
            .ok_or_else(|| invalid("the branch name is not valid UTF-8".to_owned()))?
            .parse()
            .map_err(invalid)
    }
}

pub(super) async fn run(context: &Context, verb: &BranchVerb) -> Result<u8, Failure> {
    match verb {
        BranchVerb::Create(args) => create(context, args).await,
        BranchVerb::List(args) => list(context, args).await,
        BranchVerb::Delete(args) => delete(context, args).await,
        BranchVerb::Gc(args) => gc(context, args).await,
    }
}

async fn create(context: &Context, args: &CreateBranchArgs) -> Result<u8, Failure> {
    let settings = settings(context)?;
    let provider = provider(context, &settings, args.provider.into(), &args.at).await?;
    let mut wanted = wanted(&settings, provider.kind(), args.name.clone(), args.expires)?;
    wanted.parent = reject_url(args.parent.clone(), "--parent")?.or(wanted.parent);
    wanted.content = if args.schema_only { Content::Schema } else { Content::All };
    // The guard deletes the branch if this ends early.
    let made = unless_interrupted(Box::pin(async {
        let guard = Guard::create(provider, wanted, tell(context.ui)).await?;
        let (provider, branch) = guard.branch()?;
        provider.ready(branch).await?;
        let urls = provider.urls(branch).await?;
        let made = branch.result(provider.kind(), &urls);
        Ok((guard, urls, made))
    }));
    let (guard, urls, made) = made.await?;
    mask(&urls);
    context.ui.revealing().result(&made, |paint| branch::text::branch_created(&made, paint))?;
    guard.keep();
    Ok(0)
}

async fn list(context: &Context, args: &ListBranchArgs) -> Result<u8, Failure> {
    let provider = requested_provider(context, &args.provider_args).await?;
    let branches = unless_interrupted(provider.list()).await?;
    let kind = provider.kind();
    let list = BranchList { branches: branches.iter().map(|branch| branch.row(kind)).collect() };
    context.ui.result(&list, |paint| branch::text::branch_list(&list, paint))?;
    Ok(0)
}

async fn delete(context: &Context, args: &DeleteBranchArgs) -> Result<u8, Failure> {
    let provider = requested_provider(context, &args.provider_args).await?;
    let name = match args.name.clone() {
        Some(name) => name,
        None => default_name()?,
    };
    let work = async {
        match provider.find(&name).await? {
            Some(branch) => provider.delete(&branch.id).await,
            None => Ok(Deleted::Missing),
        }
    };
    let deleted = unless_interrupted(Box::pin(work)).await? == Deleted::Now;
    let name = name.to_string();
    let deleted = BranchDeleted { name, provider: provider.kind().as_str(), deleted };
    context.ui.result(&deleted, |paint| branch::text::branch_deleted(&deleted, paint))?;
    Ok(0)
}

/// The default branch name: `TENURE_BRANCH_NAME`, or one derived from the pull request.
fn default_name() -> Result<BranchName, Failure> {
    if let Some(name) = name_from_env()? {
        return Ok(name);
    }
    let number = pull_request_number();
    number.map(|number| BranchName::default_name(Some(number), Uuid::nil())).ok_or_else(|| {
        Failure::new(Code::Usage, "no branch name was given, and this job does not belong to a pull request")
            .hint("give a branch name; `tenure branch list` lists the branches")
    })
}

async fn gc(context: &Context, args: &GcArgs) -> Result<u8, Failure> {
    let provider = requested_provider(context, &args.provider_args).await?;
    let work = collect(&provider, &args.prefix, args.older_than.duration());
    let collected = unless_interrupted(Box::pin(work)).await?;
    let ui_outcome = if collected.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context
        .ui
        .outcome(ui_outcome, &collected, |paint| branch::text::branches_collected(&collected, paint))?;
    Ok(collected.outcome.exit_code())
}

/// The project's settings, or the defaults: a job that deletes branches may run without a project.
pub(super) fn settings(context: &Context) -> Result<Settings, Failure> {
    let settings = match context.root() {
        Ok(root) => root.settings,
        Err(failure) if failure.code == Code::NoProject && context.global.project.is_none() => {
            Settings::default()
        }
        Err(failure) => return Err(failure),
    };
    overlaid(settings)
}

/// Overrides the branch settings of `tenure.toml` with environment variables.
pub(super) fn overlaid(mut settings: Settings) -> Result<Settings, Failure> {
    let branch = &mut settings.branch;
    for (variable, place) in [
        ("TENURE_BRANCH_PARENT", &mut branch.parent),
        ("TENURE_BRANCH_DATABASE", &mut branch.database),
        ("TENURE_BRANCH_ROLE", &mut branch.role),
    ] {
        if let Some(value) = non_empty_variable(variable) {
            *place = Some(value);
        }
    }
    if let Some(expires) = parse_variable("TENURE_BRANCH_EXPIRES")? {
        branch.expires = expires;
    }
    if let Some(sslmode) = parse_variable("TENURE_BRANCH_SSLMODE")? {
        branch.sslmode = Some(sslmode);
    }
    Ok(settings)
}

fn name_from_env() -> Result<Option<BranchName>, Failure> {
    parse_variable("TENURE_BRANCH_NAME")
}

fn parse_variable<T: FromStr<Err = String>>(name: &str) -> Result<Option<T>, Failure> {
    let Some(text) = non_empty_variable(name) else { return Ok(None) };
    let invalid = |why: String| {
        // Most messages repeat the value, which may be a URL with a password.
        let why = if text.contains("://") { "expected a name, not a URL".to_owned() } else { why };
        Failure::new(Code::Settings, format!("{name}: {why}"))
    };
    text.parse().map(Some).map_err(invalid)
}

/// A variable that is set and not empty: CI systems set missing values to an empty string.
fn non_empty_variable(name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

fn pull_request_number() -> Option<u64> {
    let event = non_empty_variable("GITHUB_EVENT_PATH").and_then(|path| std::fs::read_to_string(path).ok());
    pull_request(variable, event.as_deref())
}

/// The branch request from settings and environment, with a new run ID.
pub(super) fn wanted(
    settings: &Settings,
    kind: Kind,
    name: Option<BranchName>,
    expires: Option<Expiry>,
) -> Result<BranchRequest, Failure> {
    let run = Uuid::new_v4();
    let number = pull_request_number();
    let name = match name {
        Some(name) => name,
        None => name_from_env()?.unwrap_or_else(|| BranchName::default_name(number, run)),
    };
    Ok(BranchRequest {
        name,
        // The setting names a Neon branch, not a database of a server.
        parent: reject_url(settings.branch.parent.clone(), "branch.parent in the settings")?
            .filter(|_| kind == Kind::Neon),
        content: Content::All,
        expires: expires.unwrap_or(settings.branch.expires).duration(),
        run,
        annotations: annotations(variable, number),
    })
}

/// Rejects a URL without repeating it: it may contain a password.
fn reject_url(name: Option<String>, what: &str) -> Result<Option<String>, Failure> {
    if name.as_deref().is_some_and(|name| name.contains("://")) {
        return Err(Failure::new(Code::Settings, format!("{what} is a URL, not a name"))
            .hint("give the name of the branch or database to copy"));
    }
    Ok(name)
}

async fn requested_provider(context: &Context, provider_args: &ProviderArgs) -> Result<AnyProvider, Failure> {
    let kind = match provider_args.provider {
        Some(provider) => provider.into(),
        None if variable("NEON_API_KEY").is_some_and(|key| !key.is_empty()) => Kind::Neon,
        None => Kind::Local,
    };
    provider(context, &settings(context)?, kind, &provider_args.at).await
}

/// Creates the provider from the command line, the environment and the settings.
pub(super) async fn provider(
    context: &Context,
    settings: &Settings,
    kind: Kind,
    at: &AtNeon,
) -> Result<AnyProvider, Failure> {
    match kind {
        Kind::Neon => {
            let given = AccessSources {
                flag: at.project_id.clone(),
                project: variable("NEON_PROJECT_ID"),
                key: variable("NEON_API_KEY").map(Secret::new),
                host: variable("NEON_API_HOST"),
                context: neon_context(context.global.project.as_deref(), &context.here),
            };
            Ok(AnyProvider::Neon(Box::new(Neon::new(Access::resolve(&given)?, settings))))
        }
        Kind::Local => {
            let connect_policy = ConnectPolicy::times(context.global.connect_attempts);
            Ok(AnyProvider::Local(Box::new(Local::new(server(context).await?, settings, connect_policy))))
        }
    }
}

/// The URL of the database, direct if the pooler can be bypassed.
async fn server(context: &Context) -> Result<DatabaseUrl, Failure> {
    let folder = match context.root() {
        Ok(root) => root.path,
        // A given URL needs no project; the private server does.
        Err(failure) if failure.code == Code::NoProject && context.global.database_url.is_some() => {
            context.here.clone()
        }
        Err(failure) => return Err(failure),
    };
    let connection = database::connect(context, &folder).await?;
    connection.require_session("a local branch")?;
    let url = connection.url().clone();
    connection.close().await;
    Ok(url)
}

/// Path and text of the nearest `.neon` file, searched upwards to the home folder.
fn neon_context(project: Option<&Path>, here: &Path) -> Option<(String, String)> {
    let start = project.map_or_else(|| here.to_owned(), |project| here.join(project));
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    for folder in start.ancestors() {
        let path = folder.join(CONTEXT_FILE);
        if path.is_file() {
            // An unreadable file, or a link out of the folder, is reported like a file without a project.
            let source = project::read_inside(folder, &path, CONTEXT_FILE);
            return Some((
                path.display().to_string(),
                source.map_or_else(|_| String::new(), |source| source.text.clone()),
            ));
        }
        if Some(folder) == home.as_deref() {
            break;
        }
    }
    None
}

/// The guard's message sink.
pub(super) fn tell(ui: Ui) -> Notify {
    Rc::new(move |weight, line| match weight {
        Severity::Note => ui.note(line),
        Severity::Warning => print_error(&Text::of_line(line)),
    })
}

/// In GitHub Actions, masks the URLs and passwords before they are printed.
pub(super) fn mask(urls: &Urls) {
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        Ui::mask(&urls.secrets());
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
