//! Facts read from the catalog, before the rules are applied.

use crate::verify::{Rule, RuleId};

macro_rules! kinds {
    ($($variant:ident $word:literal $rule:ident $doc:literal)*) => {
        /// The kind of a fact.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the SQL queries.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The rule that judges facts of this kind.
            pub fn rule(self) -> &'static Rule {
                match self { $(Self::$variant => RuleId::$rule,)* }.rule()
            }
        }
    };
}

kinds! {
    RightAcross "cross-tenant-privilege" CrossTenantPrivilege "A tenant's role has a privilege on another tenant's object."
    RightThrough "right-through" CrossTenantPrivilege "A role that acts for several tenants has a privilege on one tenant's object."
    MemberAcross "member-across" MemberAcross "A tenant's role is a member of another tenant's."
    PublicRight "public-right" PublicRight "PUBLIC has a privilege."
    StrangerRight "stranger-right" CrossTenantPrivilege "A role of another database has a privilege."
    PlatformRight "platform-right" PlatformRight "A tenant's role has a privilege on a platform object that its template does not name."
    OutsideRight "outside-right" OutsideRight "A tenant's role, or PUBLIC, has a privilege on an object of another schema."
    ServerRight "server-right" ServerRight "A tenant's role, or PUBLIC, has a privilege on an object of the database or server."
    SettingOpens "setting-opens" SettingOpens "A setting disables a protection."
    RoleRight "role-right" RoleRight "A tenant's role has an excessive privilege on its own schema."
    ReachesAcross "cross-tenant-dependency" CrossTenantDependency "An object depends on one of another tenant."
    Names "names" CrossTenantReference "A text contains another tenant's schema name."
    Expression "expression" CrossTenantReference "A default, constraint or policy contains another tenant's schema name."
    Setting "setting" CrossTenantReference "A setting contains another tenant's schema name."
    ViewOpensPlatform "view-opens-platform" ViewOpensPlatform "A tenant's view shows a platform table that its template does not name."
    SharedReach "shared-reach" SharedReach "A shared view shows a tenant's rows, and others may read it."
    EventTrigger "event-trigger" SharedReach "An event trigger calls a tenant's function."
    LeakyView "leaky-view" LeakyView "The rows of a view depend on who asks, without `security_barrier`."
    SettingDecides "setting-decides" SettingDecides "A setting that everyone may set decides which rows are visible."
    RowSecurity "row-security" PolicyWithoutEffect "Policies have no effect."
    SecretCatalog "secret-catalog" SecretCatalog "A view shows a catalog that not everyone may read."
    ForeignTable "foreign-table" ForeignTable "A tenant may use a foreign table."
    WrongOwner "wrong-owner" WrongOwner "An object and its schema have different owners."
    RoleOwns "role-owns" RoleOwns "A tenant's role owns an object."
    Extension "extension" ExtensionInTenant "An extension is in a tenant's schema."
    DefinerPath "definer-path" DefinerPath "A SECURITY DEFINER function uses its caller's search path."
    DefinerUserPath "definer-user-path" DefinerPath "A SECURITY DEFINER function has $user in its search path."
    DefinerOpen "definer-open" DefinerOpen "Tenants may call a SECURITY DEFINER function of the platform."
    DefinerDynamic "definer-dynamic" DefinerDynamic "A SECURITY DEFINER function runs a text that is not constant."
    DefinerReach "definer-reach" DefinerReach "A tenant's SECURITY DEFINER function reads relations outside of its schema."
    DefinerCalls "definer-calls" DefinerReach "A tenant's SECURITY DEFINER function calls functions outside of its schema."
    UntrustedCode "untrusted-code" UntrustedCode "A tenant may call a function in an untrusted language."
    Leakproof "leakproof" UntrustedCode "A tenant may call a LEAKPROOF function."
    PublicSchema "public-schema" PublicSchema "PUBLIC, or a tenant's role, may create objects in a schema."
    RoleMissing "role-missing" RoleMissing "A tenant has no role."
    RolePower "role-overprivileged" RoleOverprivileged "A tenant's role has excessive attributes."
    RoleMember "role-member" RoleOverprivileged "A tenant's role is a member of an excessive role."
    RoleAdmin "role-admin" RoleOverprivileged "A tenant's role may grant a role."
    StrangerMember "stranger-member" MemberAcross "A role of another database is a member of a tenant's."
    RoleElsewhere "role-elsewhere" RoleElsewhere "A tenant's role belongs to another database."
    RoleOpen "role-open" RoleOpen "The role of a suspended or dropped tenant may log in."
    RoleLacks "role-lacks" RoleLacks "A tenant's role lacks a privilege."
    TemplateUnknown "template-unknown" TemplateUnknown "A tenant's template is not in the project."
}

impl Kind {
    /// The kind with that name.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

/// A fact. The meaning of the fields depends on the kind; the queries and `judge` must agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The kind of a fact.
    pub kind: Kind,
    /// The schema of the object; `None` for objects of the platform or the database.
    pub schema: Option<String>,
    /// The object in it: `table t`, `view v`, `role r`.
    pub object: String,
    /// The role; `None` means PUBLIC.
    pub who: Option<String>,
    /// The other schema, database or owner.
    pub other: Option<String>,
    /// Privileges, object names or texts.
    pub what: Option<String>,
    /// The end of the statement that corrects it, quoted by the server.
    pub target: Option<String>,
}
