//! One thing that the catalog says, before anybody judges it.

use crate::verify::{Rule, RuleId};

macro_rules! kinds {
    ($($variant:ident $word:literal $rule:ident $doc:literal)*) => {
        /// What it is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in the questions.
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
    RightAcross "cross-tenant-privilege" CrossTenantPrivilege "A tenant's role has a right on what is another's."
    RightThrough "right-through" CrossTenantPrivilege "A role that acts for several tenants has a right on what is one's."
    MemberAcross "member-across" MemberAcross "A tenant's role is a member of another tenant's."
    PublicRight "public-right" PublicRight "PUBLIC has a right."
    StrangerRight "stranger-right" CrossTenantPrivilege "A role of another database has a right."
    PlatformRight "platform-right" PlatformRight "A tenant's role has a right on what is the platform's that its template does not name."
    RoleRight "role-right" RoleRight "A tenant's role has a right on its own that goes too far."
    ReachesAcross "cross-tenant-dependency" CrossTenantDependency "An object depends on one of another tenant."
    Names "names" CrossTenantReference "A text has another tenant's schema in it."
    Expression "expression" CrossTenantReference "A default, constraint or policy has another tenant's schema in it."
    Setting "setting" CrossTenantReference "A setting has another tenant's schema in it."
    ViewOpensPlatform "view-opens-platform" ViewOpensPlatform "A tenant's view shows what of the platform its template does not name."
    SharedReach "shared-reach" SharedReach "A view of nobody's shows a tenant's rows, and others may read it."
    WrongOwner "wrong-owner" WrongOwner "An object has another owner than its schema."
    RoleOwns "role-owns" RoleOwns "A tenant's role owns something."
    Extension "extension" ExtensionInTenant "An extension lives in a tenant's schema."
    DefinerPath "definer-path" DefinerPath "A function runs with its owner's rights and its caller's search path."
    DefinerUserPath "definer-user-path" DefinerPath "The same, with a path that has the caller's schema in it."
    DefinerOpen "definer-open" DefinerOpen "A function of the platform runs with its owner's rights, and tenants may call it."
    PublicSchema "public-schema" PublicSchema "Everybody may make things in the schema public."
    RoleMissing "role-missing" RoleMissing "A tenant has no role."
    RolePower "role-overprivileged" RoleOverprivileged "A tenant's role may do what no tenant may."
    RoleMember "role-member" RoleOverprivileged "It may so by a role that it is a member of."
    RoleElsewhere "role-elsewhere" RoleElsewhere "A tenant's role is another database's."
    RoleOpen "role-open" RoleOpen "A closed tenant's role may log in."
    RoleLacks "role-lacks" RoleLacks "A tenant's role lacks a right."
    TemplateUnknown "template-unknown" TemplateUnknown "A tenant's template is not in the project."
}

impl Kind {
    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

/// The fact. What its fields hold depends on its kind; the questions and the judge agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub kind: Kind,
    /// The schema of the object; `None` for the platform's.
    pub schema: Option<String>,
    /// The object in it: `table t`, `view v`, `role r`.
    pub object: String,
    /// The role that has or lacks something; PUBLIC where a right is nobody's in particular.
    pub who: Option<String>,
    /// Another schema that it reaches, or is reached from; a database, an owner.
    pub other: Option<String>,
    /// Rights, things, texts.
    pub what: Option<String>,
    /// The end of a statement that mends it, in the server's own quotes.
    pub target: Option<String>,
}
