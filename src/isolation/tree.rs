//! The server's tree of a view's query (`pg_node_tree`).

/// The mark of an expression that tells who asks; the query of the audit puts it in.
const ASKS: &str = "@ASKS@";

/// Whether such an expression is in a condition. The view's own columns are computed before a query's conditions.
pub(super) fn asks(tree: &str) -> bool {
    without_columns(tree).contains(ASKS)
}

/// The tree without the columns of its outermost query. They stand in `:targetList (…)` at the depth of that query, whose other parts,
/// such as subqueries, are deeper.
fn without_columns(tree: &str) -> String {
    const LIST: &str = ":targetList (";
    let mut kept = String::with_capacity(tree.len());
    let (mut depth, mut braces, mut at) = (0_usize, 0_usize, 0);
    let bytes = tree.as_bytes();
    while at < bytes.len() {
        if braces == 1 && tree[at..].starts_with(LIST) {
            at = end_of_list(bytes, at + LIST.len());
            continue;
        }
        match bytes[at] {
            b'\\' => {
                // A backslash precedes a character of a name.
                let end = tree[at + 1..].chars().next().map_or(at + 1, |next| at + 1 + next.len_utf8());
                kept.push_str(&tree[at..end]);
                at = end;
                continue;
            }
            b'{' => braces += 1,
            b'}' => braces = braces.saturating_sub(1),
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let end = tree[at..].chars().next().map_or(at + 1, |next| at + next.len_utf8());
        kept.push_str(&tree[at..end]);
        at = end;
    }
    kept
}

/// The index behind the parenthesis that closes the list.
fn end_of_list(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 1_usize;
    while at < bytes.len() && depth > 0 {
        match bytes[at] {
            b'\\' => at += 1,
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    // A character of several bytes may follow a backslash.
    while at < bytes.len() && bytes[at] & 0b1100_0000 == 0b1000_0000 {
        at += 1;
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conditions_count() {
        let column =
            "({QUERY :rtable ({RTE :x 1}) :targetList ({T :expr {F @ASKS@} :resname a\\)b}) :quals <>})";
        assert!(!asks(column));
        assert!(asks("({QUERY :jointree {FROM :quals {OP @ASKS@}} :targetList ({T :expr {V}})})"));
        let below =
            "({QUERY :rtable ({RTE :subquery {QUERY :targetList ({T @ASKS@})}}) :targetList ({T {V}})})";
        assert!(asks(below));
    }
}
