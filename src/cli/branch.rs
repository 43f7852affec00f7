//! `tenure branch create|list|delete|gc`

use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::ui::{Outcome, Ui, complain};
use super::{Context, database, unless_interrupted};
use crate::branch::local::Local;
use crate::branch::neon::{Access, CONTEXT_FILE, Given, Neon};
use crate::branch::{
    self, AnyProvider, BranchDeleted, BranchList, BranchName, Content, Deleted, Guard, Kind, Provider as _,
    Secret, Tell, Urls, Wanted, Weight, annotations, collect, pull_request,
};
use crate::error::{Code, Failure};
use crate::postgres::{ConnectPolicy, DatabaseUrl};
use crate::settings::{Age, Expiry, Settings};

#[derive(Debug, Subcommand)]
pub(super) enum BranchVerb {
    /// Make a branch, or make one of ours as its parent is now; its URL is the result
    Create(CreateBranchArgs),
    /// List the branches that Tenure made
    List(ListBranchArgs),
    /// Delete a branch that Tenure made; one that is gone already is no failure
    Delete(DeleteBranchArgs),
    /// Delete the branches that Tenure made and nobody needs any more
    Gc(GcArgs),
}

/// Who makes branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProviderArg {
    /// A branch of a Neon project: NEON_API_KEY, and NEON_PROJECT_ID or a .neon file
    Neon,
    /// A copy of a database on its own server
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
    /// Its name [default: by the number of the pull request, else by chance]
    #[arg(value_parser = BranchNames)]
    name: Option<BranchName>,
    /// Who makes it
    #[arg(long, value_enum)]
    provider: ProviderArg,
    /// What it is a copy of [default: the settings', else the project's default branch, or the database that
    /// is named]
    #[arg(long, value_name = "NAME")]
    parent: Option<String>,
    /// How long it lives when nobody deletes it, such as 1h [default: the settings', else 2h]
    #[arg(long, value_name = "DURATION")]
    expires: Option<Expiry>,
    /// Copy no rows but those that say at which versions the schemas are
    #[arg(long)]
    schema_only: bool,
    #[command(flatten)]
    at: AtNeon,
}

/// Which project at Neon.
#[derive(Debug, Clone, Args)]
pub(super) struct AtNeon {
    /// The project at Neon [default: NEON_PROJECT_ID, else what a .neon file says]
    #[arg(long, value_name = "ID")]
    pub(super) project_id: Option<String>,
}

/// Whose branches.
#[derive(Debug, Clone, Args)]
pub(super) struct Whose {
    /// Who made them [default: neon where NEON_API_KEY is set, else local]
    #[arg(long, value_enum)]
    provider: Option<ProviderArg>,
    #[command(flatten)]
    at: AtNeon,
}

#[derive(Debug, Args)]
pub(super) struct ListBranchArgs {
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Args)]
pub(super) struct DeleteBranchArgs {
    /// Its name [default: by the number of the pull request]
    #[arg(value_parser = BranchNames)]
    name: Option<BranchName>,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// What their names begin with
    #[arg(long, value_name = "TEXT")]
    prefix: String,
    /// How long ago they were made at least, such as 1d
    #[arg(long, value_name = "DURATION")]
    older_than: Age,
    #[command(flatten)]
    whose: Whose,
}

/// Reads a branch's name. The parser's own message would repeat what is wrong, and that may be a URL with a password.
#[derive(Debug, Clone, Copy)]
struct BranchNames;

impl clap::builder::TypedValueParser for BranchNames {
    type Value = BranchName;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BranchName, clap::Error> {
        let wrong = |why: String| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, format!("{why}\n")).with_cmd(command)
        };
        value
            .to_str()
            .ok_or_else(|| wrong("the name of a branch is no text".to_owned()))?
            .parse()
            .map_err(wrong)
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
    wanted.parent = no_url(args.parent.clone(), "--parent")?.or(wanted.parent);
    wanted.content = if args.schema_only { Content::Schema } else { Content::All };
    // Whatever ends this early, the guard deletes the branch.
    let made = unless_interrupted(Box::pin(async {
        let guard = Guard::create(provider, wanted, tell(context.ui)).await?;
        let (provider, branch) = guard.made()?;
        provider.ready(branch).await?;
        let urls = provider.urls(branch).await?;
        let made = branch.result(provider.kind(), &urls);
        Ok((guard, urls, made))
    }));
    let (guard, urls, made) = made.await?;
    mask(&urls);
    context.ui.result(&made, |paint| branch::text::branch_made(&made, paint))?;
    guard.keep();
    Ok(0)
}

async fn list(context: &Context, args: &ListBranchArgs) -> Result<u8, Failure> {
    let provider = the_provider(context, &args.whose).await?;
    let branches = unless_interrupted(provider.list()).await?;
    let kind = provider.kind();
    let list = BranchList { branches: branches.iter().map(|branch| branch.row(kind)).collect() };
    context.ui.result(&list, |paint| branch::text::branch_list(&list, paint))?;
    Ok(0)
}

async fn delete(context: &Context, args: &DeleteBranchArgs) -> Result<u8, Failure> {
    let provider = the_provider(context, &args.whose).await?;
    let name = match args.name.clone() {
        Some(name) => name,
        None => the_usual_name()?,
    };
    let work = async {
        match provider.find(&name).await? {
            Some(branch) => provider.delete(&branch.id).await,
            None => Ok(Deleted::Gone),
        }
    };
    let deleted = unless_interrupted(Box::pin(work)).await? == Deleted::Now;
    let name = name.to_string();
    let deleted = BranchDeleted { name, provider: provider.kind().as_str(), deleted };
    context.ui.result(&deleted, |paint| branch::text::branch_deleted(&deleted, paint))?;
    Ok(0)
}

/// The name that a job of this pull request gives its branch.
fn the_usual_name() -> Result<BranchName, Failure> {
    if let Some(name) = said_name()? {
        return Ok(name);
    }
    let number = number_of_the_pull_request();
    number.map(|number| BranchName::usual(Some(number), Uuid::nil())).ok_or_else(|| {
        Failure::new(Code::Usage, "no branch is named, and this is no job of a pull request")
            .hint("name the branch; `tenure branch list` shows those that there are")
    })
}

async fn gc(context: &Context, args: &GcArgs) -> Result<u8, Failure> {
    let provider = the_provider(context, &args.whose).await?;
    let work = collect(&provider, &args.prefix, args.older_than.duration());
    let collected = unless_interrupted(Box::pin(work)).await?;
    let went = if collected.failures.is_empty() { Outcome::Done } else { Outcome::Failed };
    context.ui.outcome(went, &collected, |paint| branch::text::branches_collected(&collected, paint))?;
    Ok(collected.outcome.exit_code())
}

/// The project's settings; a job that deletes branches may have no project beside it.
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

/// The environment over what `tenure.toml` says of branches. CI cannot change that file for a run.
pub(super) fn overlaid(mut settings: Settings) -> Result<Settings, Failure> {
    let branch = &mut settings.branch;
    for (variable, place) in [
        ("TENURE_BRANCH_PARENT", &mut branch.parent),
        ("TENURE_BRANCH_DATABASE", &mut branch.database),
        ("TENURE_BRANCH_ROLE", &mut branch.role),
    ] {
        if let Some(said) = said(variable) {
            *place = Some(said);
        }
    }
    if let Some(expires) = parsed("TENURE_BRANCH_EXPIRES")? {
        branch.expires = expires;
    }
    if let Some(sslmode) = parsed("TENURE_BRANCH_SSLMODE")? {
        branch.sslmode = Some(sslmode);
    }
    Ok(settings)
}

fn said_name() -> Result<Option<BranchName>, Failure> {
    parsed("TENURE_BRANCH_NAME")
}

fn parsed<T: FromStr<Err = String>>(name: &str) -> Result<Option<T>, Failure> {
    let Some(text) = said(name) else { return Ok(None) };
    let wrong = |why: String| {
        // Most say what was given, and that may be a URL with a password.
        let why = if text.contains("://") { "a URL does not belong there".to_owned() } else { why };
        Failure::new(Code::Settings, format!("{name}: {why}"))
    };
    text.parse().map(Some).map_err(wrong)
}

/// A variable that says something: CI systems set those that have no value to nothing.
fn said(name: &str) -> Option<String> {
    variable(name).filter(|value| !value.is_empty())
}

fn number_of_the_pull_request() -> Option<u64> {
    let event = said("GITHUB_EVENT_PATH").and_then(|path| std::fs::read_to_string(path).ok());
    pull_request(variable, event.as_deref())
}

/// A branch as the settings and the environment want it, with a nonce of its own.
pub(super) fn wanted(
    settings: &Settings,
    kind: Kind,
    name: Option<BranchName>,
    expires: Option<Expiry>,
) -> Result<Wanted, Failure> {
    let run = Uuid::new_v4();
    let number = number_of_the_pull_request();
    let name = match name {
        Some(name) => name,
        None => said_name()?.unwrap_or_else(|| BranchName::usual(number, run)),
    };
    Ok(Wanted {
        name,
        // The settings name a branch, which is no database of a server.
        parent: no_url(settings.branch.parent.clone(), "the settings' parent")?
            .filter(|_| kind == Kind::Neon),
        content: Content::All,
        expires: expires.unwrap_or(settings.branch.expires).duration(),
        run,
        annotations: annotations(variable, number),
    })
}

/// A name, which is not repeated where it is a URL: that may have a password.
fn no_url(name: Option<String>, what: &str) -> Result<Option<String>, Failure> {
    if name.as_deref().is_some_and(|name| name.contains("://")) {
        return Err(Failure::new(Code::Settings, format!("{what} is a URL, not a name"))
            .hint("name the branch or the database that is to be copied"));
    }
    Ok(name)
}

async fn the_provider(context: &Context, whose: &Whose) -> Result<AnyProvider, Failure> {
    let kind = match whose.provider {
        Some(provider) => provider.into(),
        None if variable("NEON_API_KEY").is_some_and(|key| !key.is_empty()) => Kind::Neon,
        None => Kind::Local,
    };
    provider(context, &settings(context)?, kind, &whose.at).await
}

/// The provider, as the command line, the environment and the settings name it.
pub(super) async fn provider(
    context: &Context,
    settings: &Settings,
    kind: Kind,
    at: &AtNeon,
) -> Result<AnyProvider, Failure> {
    match kind {
        Kind::Neon => {
            let given = Given {
                flag: at.project_id.clone(),
                project: variable("NEON_PROJECT_ID"),
                key: variable("NEON_API_KEY").map(Secret::new),
                host: variable("NEON_API_HOST"),
                context: linked(context.global.project.as_deref(), &context.here),
            };
            Ok(AnyProvider::Neon(Box::new(Neon::new(Access::resolve(&given)?, settings))))
        }
        Kind::Local => {
            let connect_policy = ConnectPolicy::times(context.global.connect_attempts);
            Ok(AnyProvider::Local(Box::new(Local::new(server(context).await?, settings, connect_policy))))
        }
    }
}

/// The way to the database that is named, past a pooler where there is a way past it.
async fn server(context: &Context) -> Result<DatabaseUrl, Failure> {
    let folder = match context.root() {
        Ok(root) => root.path,
        // What is named needs no project; the project's private server does.
        Err(failure) if failure.code == Code::NoProject && context.global.database_url.is_some() => {
            context.here.clone()
        }
        Err(failure) => return Err(failure),
    };
    let connection = database::connect(context, &folder).await?;
    connection.needs_a_session("a local branch")?;
    let url = connection.url().clone();
    connection.close().await;
    Ok(url)
}

/// The nearest `.neon` file, from the folder upwards as far as the home folder.
fn linked(project: Option<&Path>, here: &Path) -> Option<(String, String)> {
    let start = project.map_or_else(|| here.to_owned(), |project| here.join(project));
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    for folder in start.ancestors() {
        let path = folder.join(CONTEXT_FILE);
        if path.is_file() {
            // One that cannot be read is told like one that holds nothing of use.
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            return Some((path.display().to_string(), text));
        }
        if Some(folder) == home.as_deref() {
            break;
        }
    }
    None
}

/// How a guard tells people.
pub(super) fn tell(ui: Ui) -> Tell {
    Rc::new(move |weight, line| match weight {
        Weight::Note => ui.note(line),
        Weight::Left => complain(line),
    })
}

/// Where GitHub's runner reads along, it is told what it must not show before anything could show it.
pub(super) fn mask(urls: &Urls) {
    if variable("GITHUB_ACTIONS").as_deref() == Some("true") {
        Ui::mask(&urls.secrets());
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
