//! Names that this project used for itself are not declared again: each has a term that PostgreSQL's manual or Rust's
//! libraries use.

use syn::visit::{self, Visit};

use crate::repo_lints;

/// Names of modules, types, functions, fields and constants, and the term to use. A name in capitals is a constant, one that
/// begins with a capital is a type; one with `mod ` before it is only for modules, since it is an ordinary word otherwise.
const NAMES: &[(&str, &str)] = &[
    ("Photograph", "SchemaSnapshot"),
    ("photograph", "snapshot"),
    ("Prints", "Fingerprints"),
    ("likeness", "fingerprint"),
    ("books", "metadata"),
    ("ledger", "version_state"),
    ("mod roll", "tenant_registry"),
    ("holdings", "tenant_stats"),
    ("mod aside", "dropped"),
    ("Knock", "ConnectPolicy"),
    ("knock", "connect_with_retry"),
    ("Door", "Connector"),
    ("Way", "VersionChange"),
    ("mod way", "connect"),
    ("mod ways", "connect"),
    ("Sign", "PoolerEvidence"),
    ("Refusal", "ServerError"),
    ("Message", "SqlBatch"),
    ("truth", "get_bool"),
    ("UNHURRIED", "NO_IDLE_TIMEOUT"),
    ("Leftovers", "SessionState"),
    ("Patience", "RetryPolicy"),
    ("patience", "retry_policy, retry_timeout"),
    ("PATIENCE", "RETRY_LIMIT, LIMIT"),
    ("again", "retry, repeated"),
    ("Crew", "WorkerPool"),
    ("crew", "worker_pool"),
    ("Wear", "ConnectionRecycler"),
    ("Pass", "TenantExecutor"),
    ("Pack", "Batch"),
    ("Pace", "BatchSizer"),
    ("Tally", "RunStats"),
    ("mod alone", "non_transactional"),
    ("mod gone", "renamed_tenants"),
    ("mod amend", "baseline, repair"),
    ("mod look", "status"),
    ("Gauge", "StatementObserver"),
    ("Gauged", "UnitTrace"),
    ("Stop", "CancellationToken"),
    ("canary_sang", "canary_done"),
    ("Look", "DatabaseSnapshot"),
    ("Picture", "CatalogDiff"),
    ("Moment", "LockSample"),
    ("Treatment", "TableEffect"),
    ("Watched", "StatementTrace"),
    ("Witness", "ObservedEffects"),
    ("Observed", "Observation"),
    ("Caused", "Attributed"),
    ("mod stage", "setup"),
    ("Rehearsal", "ShadowRun"),
    ("rehearsal", "shadow_run, query_execution"),
    ("rehearse", "run, execute"),
    ("outsider", "observer_conn"),
    ("bystander", "control_tenant"),
    ("Course", "SchemaReplay"),
    ("Leg", "ReplayedFile"),
    ("Walk", "ScriptReplay"),
    ("Met", "StatementContext"),
    ("Subject", "RuleContext"),
    ("Meets", "RuleContext"),
    ("Hit", "Span"),
    ("Spares", "ignores_new_objects"),
    ("sift", "filters"),
    ("Sifted", "Filtered"),
    ("Made", "NewObjects"),
    ("Held", "NameMap"),
    ("Home", "SchemaRef"),
    ("Knows", "Completeness"),
    ("Breaks", "Impact"),
    ("Harm", "Hazard"),
    ("instead", "remediation"),
    ("walls", "isolation"),
    ("Act", "TenantOperation"),
    ("Standing", "NameOwnership"),
    ("Identity", "TenantRecord"),
    ("residue", "name_references"),
    ("mod wanted", "csv"),
    ("mod undo", "cleanup"),
    ("parcel", "archive"),
    ("Ending", "RunStatus"),
    ("Turned", "LoginChange"),
    ("TriedOn", "BranchReport"),
    ("Story", "Fixture"),
    ("story", "fixture, test"),
    ("stories", "tests"),
    ("house", "repo_lints"),
    ("astray", "registry_errors"),
    ("untold", "reported_findings"),
    ("blindness", "shadow_coverage"),
    ("looking", "read_only"),
];

/// Words that no name has as a part, those of local variables and parameters included.
const WORDS: &[&str] = &[
    "photograph",
    "photographs",
    "books",
    "ledger",
    "holdings",
    "knock",
    "crew",
    "patience",
    "parcel",
    "rehearse",
    "rehearsed",
    "rehearsal",
    "walled",
    "walls",
    "residue",
    "likeness",
    "bystander",
    "story",
    "stories",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Type,
    Other,
    Local,
}

/// The names that a file declares.
#[derive(Default)]
struct Declared(Vec<(Kind, String)>);

impl Declared {
    fn note(&mut self, kind: Kind, name: &syn::Ident) {
        self.0.push((kind, name.to_string().trim_start_matches("r#").to_owned()));
    }
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.note(Kind::Module, &item.ident);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.note(Kind::Type, &item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.note(Kind::Type, &item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.note(Kind::Type, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.note(Kind::Type, &item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.note(Kind::Other, &item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.note(Kind::Other, &item.ident);
        visit::visit_impl_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.note(Kind::Other, &item.ident);
        visit::visit_item_static(self, item);
    }

    fn visit_signature(&mut self, item: &'ast syn::Signature) {
        self.note(Kind::Other, &item.ident);
        visit::visit_signature(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.note(Kind::Other, name);
        }
        visit::visit_field(self, field);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.note(Kind::Local, &pattern.ident);
        visit::visit_pat_ident(self, pattern);
    }
}

fn declared(text: &str) -> Vec<(Kind, String)> {
    let mut declared = Declared::default();
    declared.visit_file(&syn::parse_file(text).unwrap());
    declared.0
}

/// The term to use instead of a declared name.
fn term(kind: Kind, name: &str) -> Option<&'static str> {
    let is_type = name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
    NAMES.iter().find_map(|(retired, term)| {
        let same = match retired.strip_prefix("mod ") {
            Some(module) => kind == Kind::Module && module == name,
            None => kind != Kind::Local && is_type == (kind == Kind::Type) && *retired == name,
        };
        same.then_some(*term)
    })
}

/// The words of `snake_case` and `CamelCase`, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = letter.is_lowercase();
        words.last_mut().unwrap().extend(letter.to_lowercase().filter(|letter| *letter != '_'));
    }
    words
}

#[test]
fn no_retired_name_is_declared() {
    let files = ["src", "tests/it", "benches"].map(|folder| repo_lints::files(folder, "rs")).concat();
    let mut found = Vec::new();
    for (path, text) in &files {
        for (kind, name) in declared(text) {
            if let Some(term) = term(kind, &name) {
                found.push(format!("{path}: {name} is called {term}"));
            } else if words(&name).iter().any(|word| WORDS.contains(&word.as_str())) {
                found.push(format!("{path}: {name}"));
            }
        }
    }
    found.dedup();
    assert!(found.is_empty(), "{} names:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_retired_name_is_found_wherever_it_is_declared() {
    let text = "mod gone { struct Crew { patience: u8 } } fn photograph(books: u8) { let crew_size = Pass; }";
    let found: Vec<_> = declared(text)
        .into_iter()
        .filter(|(kind, name)| {
            term(*kind, name).is_some() || words(name).iter().any(|word| WORDS.contains(&word.as_str()))
        })
        .map(|(_, name)| name)
        .collect();
    assert_eq!(found, ["gone", "Crew", "patience", "photograph", "books", "crew_size"]);
    assert_eq!(term(Kind::Other, "gone"), None);
    assert_eq!(words("PoolerEvidence_of"), ["pooler", "evidence", "of"]);
}
