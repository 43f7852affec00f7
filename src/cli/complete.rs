//! Completions: the shell runs this program, which completes slugs, schemas, versions, rules and error codes. A completion never
//! starts a server, prints an error or takes longer than [`LIMIT`].

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::args::Cli;
use super::database;
use crate::error::{Code, Failure};
use crate::ident::Slug;
use crate::output::Text;
use crate::postgres::metadata::tenant_registry::{self, Wanted};
use crate::postgres::metadata::{dropped, state};
use crate::postgres::{Connection, DatabaseUrl};
use crate::project::Root;
use crate::verify::RULES;

/// The variable with the name of the shell that asks for completions.
const VARIABLE: &str = "TENURE_COMPLETE";

/// The maximum time for the answer of the database.
const LIMIT: Duration = Duration::from_millis(250);

/// The maximum number of names from the database.
const MAX_NAMES: usize = 200;

/// Prints the script that asks this program for completions.
pub(super) fn script(shell: clap_complete::Shell) -> Result<Text, Failure> {
    let mut script = Vec::new();
    let written = match Shells::builtins().completer(&shell.to_string()) {
        Some(completer) => completer.write_registration(VARIABLE, "tenure", "tenure", "tenure", &mut script),
        None => Err(std::io::Error::other(format!("no completions for {shell}"))),
    };
    written.map_err(|error| Failure::new(Code::Io, error.to_string()))?;
    Ok(Text::of_lines(&String::from_utf8_lossy(&script)))
}

/// Prints the completions that a shell asks for. Returns whether it did.
pub(super) fn complete(arguments: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let here = std::env::current_dir().ok();
    let words = arguments.to_vec();
    let command = || with_completers(Cli::command(), &words);
    // An invalid request of a shell script: there is nobody to read an error.
    CompleteEnv::with_factory(command).var(VARIABLE).try_complete(arguments, here.as_deref()).unwrap_or(true)
}

/// Adds completers to all arguments whose values have one of the names of [`Values`].
fn with_completers(command: Command, words: &[OsString]) -> Command {
    let verb = command.get_name().to_owned();
    let command = command.mut_args(|arg| match Values::of(&verb, &arg) {
        Some(values) => {
            let source = Source::of(words);
            arg.add(ArgValueCompleter::new(move |current: &OsStr| values.candidates(&source, current)))
        }
        None => arg,
    });
    command.mut_subcommands(|verb| with_completers(verb, words))
}

/// The values of an argument.
#[derive(Debug, Clone, Copy)]
enum Values {
    Slugs,
    DroppedSlugs,
    Schemas,
    Versions,
    Rules,
}

impl Values {
    fn of(verb: &str, arg: &Arg) -> Option<Self> {
        let name = arg.get_value_names()?.first()?.as_str();
        Some(match (name, verb) {
            // The slug of a new tenant.
            ("SLUG", "create" | "adopt" | "import") => return None,
            ("SLUG", "undrop") => return arg.get_long().is_none().then_some(Self::DroppedSlugs),
            ("SLUG" | "OLD", _) | ("SOURCE", "clone") => Self::Slugs,
            ("SCHEMA", "adopt") => Self::Schemas,
            ("VERSION", _) => Self::Versions,
            ("RULE", _) => Self::Rules,
            _ => return None,
        })
    }

    fn candidates(self, source: &Source, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else { return Vec::new() };
        let names = match self {
            Self::Rules => {
                let rules = RULES.iter().map(|rule| rule.id.as_str());
                rules.chain(Code::ALL.iter().map(|code| code.as_str())).map(str::to_owned).collect()
            }
            Self::Versions => source.versions().unwrap_or_default(),
            Self::Slugs | Self::DroppedSlugs | Self::Schemas => {
                source.names(self, current).unwrap_or_default()
            }
        };
        let matching = names.into_iter().filter(|name| name.starts_with(current));
        matching.map(CompletionCandidate::new).collect()
    }
}

/// The project and the database of the command line.
#[derive(Debug, Clone)]
struct Source {
    project: Option<PathBuf>,
    url: Option<String>,
}

impl Source {
    fn of(words: &[OsString]) -> Self {
        let given = |flags: &[&str], variable: &str| {
            let after = |(at, word): (usize, &OsString)| {
                let word = word.to_str()?;
                let flag = flags.iter().find(|flag| word.starts_with(**flag))?;
                match word.strip_prefix(flag)? {
                    "" => words.get(at + 1).cloned(),
                    rest => rest.strip_prefix('=').map(OsString::from),
                }
            };
            let word = words.iter().enumerate().rev().find_map(after);
            word.or_else(|| std::env::var_os(variable)).filter(|value| !value.is_empty())
        };
        Self {
            project: given(&["--project", "-C"], "TENURE_PROJECT").map(PathBuf::from),
            url: given(&["--database-url"], "DATABASE_URL").and_then(|url| url.into_string().ok()),
        }
    }

    fn root(&self) -> Option<Root> {
        Root::find(self.project.as_deref(), &std::env::current_dir().ok()?).ok()
    }

    /// The versions in the names of the migration files, the latest first.
    fn versions(&self) -> Option<Vec<String>> {
        let mut versions: Vec<_> = self.root()?.edges().ok()?.into_iter().map(|(_, to)| to).collect();
        versions.sort();
        versions.dedup();
        Some(versions.iter().rev().map(ToString::to_string).collect())
    }

    /// The names in the database that begin with `prefix`.
    fn names(&self, values: Values, prefix: &str) -> Option<Vec<String>> {
        let root = self.root()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let names = runtime.block_on(async {
            tokio::time::timeout(LIMIT, async {
                let url = self.database(&root.path).await?;
                let mut connection = Connection::open(&url).await.ok()?;
                read(&mut connection, &root, values, prefix).await.ok()
            })
            .await
        });
        // Do not wait for a resolver that is still running.
        runtime.shutdown_background();
        names.ok()?
    }

    /// The given database, or the private server if it is running.
    async fn database(&self, root: &Path) -> Option<DatabaseUrl> {
        match self.url.as_deref() {
            Some(url) if url != database::EMBEDDED => DatabaseUrl::parse(url).ok(),
            _ => database::running_private_server(root).await,
        }
    }
}

/// Reads the names. The settings say which schemas are tenants'.
async fn read(
    connection: &mut Connection,
    root: &Root,
    values: Values,
    prefix: &str,
) -> Result<Vec<String>, Failure> {
    let settings = &root.settings;
    let presence = state::presence(connection, settings).await?;
    let names: Vec<String> = match values {
        Values::Schemas => tenant_registry::unregistered_schemas(connection, settings, presence).await?,
        Values::DroppedSlugs if !presence.own_tables || !presence.registry => Vec::new(),
        Values::DroppedSlugs => {
            let all = dropped::read(connection, settings, None, 0).await?;
            all.into_iter().map(|dropped| dropped.former_slug).collect()
        }
        Values::Slugs | Values::Versions | Values::Rules => {
            let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
            let wanted = Wanted { prefix, limit: Some(MAX_NAMES), lenient: true, ..Wanted::default() };
            let tenants = tenant_registry::read(connection, settings, presence, &wanted).await?;
            tenants.into_iter().map(|listed| listed.tenant.slug).collect()
        }
    };
    // Another name could mean something to the shell.
    Ok(names.into_iter().filter(|name| Slug::new(name).is_ok()).take(MAX_NAMES).collect())
}
