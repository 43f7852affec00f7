//! The rules: those in `squawk/` build on squawk's rules, the others are our own, and `catalog` has those of the other tools. [`ALL`] lists them in the order of the
//! documentation. A rule reads its [`RuleContext`](super::rule_context::RuleContext) and returns spans, nothing else.

mod add_check;
pub(super) mod add_column;
mod add_foreign_key;
mod add_unique;
mod boundary;
mod catalog;
mod condition;
mod conventions;
mod drop_cascade;
mod drop_default;
mod drop_object;
mod evaluate;
mod failing_expression;
mod filters;
pub(super) mod net_effect;
mod new_column;
pub(super) mod no_where;
pub(super) mod opaque_code;
mod publish;
pub(super) mod replace;
mod rewrite;
mod sequence;
mod session;
pub(super) mod shadow;
mod single_tenant;
pub(super) mod squawk;
mod storage;
mod template;
pub(super) mod verification;

use super::rule::Rule;

const PARTS: &[&[Rule]] = &[
    squawk::drops::ROWS,
    &[drop_cascade::RULE, drop_object::RULE],
    squawk::renames::ROWS,
    squawk::columns::ROWS,
    &[drop_default::RULE, add_column::RULE, add_check::RULE, add_unique::RULE, add_foreign_key::RULE],
    squawk::data::ROWS,
    no_where::ROWS,
    squawk::access::ROWS,
    squawk::behaviour::ROWS,
    &[failing_expression::RULE, publish::RULE],
    storage::ROWS,
    replace::ROWS,
    &[sequence::RULE],
    session::ROWS,
    boundary::ROWS,
    &[single_tenant::RULE],
    squawk::traffic::ROWS,
    &[rewrite::RULE, opaque_code::RULE],
    template::ROWS,
    conventions::ROWS,
    squawk::style::ROWS,
    shadow::ROWS,
    verification::ROWS,
    catalog::ROWS,
];

/// All rules, in the order of `PARTS`.
pub(super) const ALL: &[Rule] = &{
    let mut all = [squawk::drops::ROWS[0]; COUNT];
    let (mut part, mut at) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[at] = PARTS[part][row];
            (row, at) = (row + 1, at + 1);
        }
        part += 1;
    }
    all
};

const COUNT: usize = {
    let (mut part, mut count) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};
