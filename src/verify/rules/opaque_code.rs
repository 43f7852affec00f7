//! Code whose text does not say what it will do. Run on a shadow it shows.

use squawk_syntax::SyntaxKind;

use crate::verify::finding::{Level, RuleId};
use crate::verify::rule::{Breaks, Judge, Rule, Spares};

pub(in crate::verify) const RULE: Rule = Rule {
    id: RuleId("opaque-code"),
    level: Level::Deny,
    breaks: Breaks::Verification,
    why: "runs code that cannot be judged by its text",
    instead: "write it as plain SQL, or accept it with -- Allow: and have it judged on a shadow",
    bad: "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;",
    good: "UPDATE users SET role = 'viewer' WHERE role IS NULL;",
    spares: Spares::Nothing,
    judge: Judge::Known(&[], &[SyntaxKind::DO, SyntaxKind::CALL, SyntaxKind::EXECUTE]),
};
