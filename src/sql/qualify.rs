//! Decides which unqualified names are sent qualified. The search path of a unit ends in shared schemas, so a name that
//! is missing in the unit's schema would resolve to a shared object (manual, chapter 5.10.3). Objects that a statement
//! creates, alters or drops are therefore qualified with the unit's schema; names that are only read are not.

use squawk_syntax::SyntaxKind;

use super::tree::Node;

/// How the server resolves an unqualified name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Along the search path, or the name is not one of a schema object.
    Path,
    /// Along the search path, but the tenant must have the object: this is checked before the statement runs.
    Expected,
    /// In the schema of the statement's scope: the name is sent as `schema.name`.
    Own,
    /// In the temporary schema: the name is sent as `pg_temp.name`. Only code shows that the object is temporary, so the
    /// name must not resolve to a permanent object.
    Temporary,
    /// As [`Self::Own`], for an operator in a list of options: it is sent as `OPERATOR(schema.name)`.
    OwnOperator,
}

/// The lookup of the name whose path is in the node `holder`.
pub(super) fn lookup(holder: Node<'_>) -> Lookup {
    if is_own(holder) { Lookup::Own } else { Lookup::Path }
}

fn is_own(holder: Node<'_>) -> bool {
    use SyntaxKind::{
        AGGREGATE, AGGREGATE_NAME, ALTER_COLLATION, ALTER_FUNCTION, ALTER_INDEX, ALTER_OPERATOR_CLASS,
        ALTER_TEXT_SEARCH_DICTIONARY, ATTACH_INDEX_PARTITION, ATTRIBUTE_VALUE, COLLATION, COLLATION_REF,
        CONVERSION, CONVERSION_REF, DELETE, DOMAIN, DOMAIN_REF, DROP_COLLATION, DROP_INDEX,
        DROP_OPERATOR_CLASS, DROP_TEXT_SEARCH_DICT, EDGE_TABLE_DEF, FUNCTION_NAME, FUNCTION_NAME_REF,
        FUNCTION_SIG, FUNCTION_SIG_LIST, GRAPH_TABLE_FN, INDEX_REF, INSERT, LIKE_CLAUSE, OBJECT_COLLATION,
        OBJECT_FUNCTION, OBJECT_INDEX, OBJECT_OPERATOR_CLASS, OBJECT_RULE, OBJECT_TEXT_SEARCH_DICT,
        OBJECT_TRIGGER, ON_RELATION, OP_CLASS_FOR_ORDER_BY, OP_CLASS_NAME, OP_CLASS_REF, OP_FAMILY_NAME,
        OP_FAMILY_REF, PATH_TYPE, PRIVILEGE_DEFAULT, PRIVILEGE_FUNCTION, PRIVILEGE_TABLE, PROCEDURE_NAME,
        PROCEDURE_NAME_REF, PROCEDURE_SIG, PROPERTY_GRAPH, PROPERTY_GRAPH_REF, QUALIFIED_COLUMN_NAME_REF,
        REINDEX_TARGET_INDEX, RELATION_LIST, RELATION_NAME, RELATION_NAME_REF, RENAME_KW, ROUTINE_NAME,
        ROUTINE_NAME_REF, ROUTINE_SIG, RULE_ON, SEQUENCE, SEQUENCE_REF, STATISTICS, STATISTICS_REF,
        TABLE_NAME, TABLE_NAME_REF, TEXT_SEARCH_CONFIGURATION, TEXT_SEARCH_CONFIGURATION_REF,
        TEXT_SEARCH_DICTIONARY, TEXT_SEARCH_DICTIONARY_REF, TEXT_SEARCH_PARSER, TEXT_SEARCH_PARSER_REF,
        TEXT_SEARCH_TEMPLATE, TEXT_SEARCH_TEMPLATE_REF, TYPE_NAME, TYPE_NAME_REF, UPDATE, VERTEX_TABLE_DEF,
        VIEW, VIEW_REF,
    };
    let parent = holder.parent();
    let within = |kinds: &[SyntaxKind]| parent.is_some_and(|parent| kinds.contains(&parent.kind()));
    let further = |kinds: &[SyntaxKind]| {
        parent.and_then(Node::parent).is_some_and(|parent| kinds.contains(&parent.kind()))
    };
    // Privileges on built-in views and functions, which are searched first.
    let of_server = || super::normalized(holder.text()).starts_with("pg_");
    match holder.kind() {
        // A new name in RENAME TO cannot be qualified, nor can that of a new index.
        AGGREGATE_NAME
        | COLLATION
        | CONVERSION
        | DOMAIN
        | FUNCTION_NAME
        | OP_CLASS_NAME
        | OP_FAMILY_NAME
        | PROCEDURE_NAME
        | PROPERTY_GRAPH
        | ROUTINE_NAME
        | SEQUENCE
        | STATISTICS
        | TABLE_NAME
        | TEXT_SEARCH_CONFIGURATION
        | TEXT_SEARCH_DICTIONARY
        | TEXT_SEARCH_PARSER
        | TEXT_SEARCH_TEMPLATE
        | TYPE_NAME
        | VIEW => !parent.is_some_and(|parent| parent.has_token(RENAME_KW)),
        AGGREGATE
        | CONVERSION_REF
        | DOMAIN_REF
        | QUALIFIED_COLUMN_NAME_REF
        | SEQUENCE_REF
        | STATISTICS_REF
        | TEXT_SEARCH_CONFIGURATION_REF
        | TEXT_SEARCH_PARSER_REF
        | TEXT_SEARCH_TEMPLATE_REF
        | TYPE_NAME_REF
        | VIEW_REF => true,
        TABLE_NAME_REF => !within(&[EDGE_TABLE_DEF, VERTEX_TABLE_DEF]),
        RELATION_NAME_REF if within(&[PRIVILEGE_DEFAULT, PRIVILEGE_TABLE]) => !of_server(),
        RELATION_NAME_REF => {
            within(&[INSERT, LIKE_CLAUSE, OBJECT_RULE, OBJECT_TRIGGER, ON_RELATION, RULE_ON])
                || (within(&[RELATION_NAME]) && further(&[DELETE, RELATION_LIST, UPDATE]))
        }
        // In actions on a table, the server looks for an index in the table's schema.
        INDEX_REF => {
            within(&[ALTER_INDEX, ATTACH_INDEX_PARTITION, DROP_INDEX, OBJECT_INDEX, REINDEX_TARGET_INDEX])
        }
        FUNCTION_NAME_REF => {
            let is_privilege =
                holder.ancestors().nth(3).is_some_and(|list| list.kind() == PRIVILEGE_FUNCTION);
            within(&[FUNCTION_SIG])
                && further(&[ALTER_FUNCTION, FUNCTION_SIG_LIST, OBJECT_FUNCTION])
                && !(is_privilege && of_server())
        }
        PROCEDURE_NAME_REF => within(&[PROCEDURE_SIG]),
        ROUTINE_NAME_REF => within(&[ROUTINE_SIG]),
        COLLATION_REF => within(&[ALTER_COLLATION, DROP_COLLATION, OBJECT_COLLATION]),
        OP_CLASS_REF => within(&[ALTER_OPERATOR_CLASS, DROP_OPERATOR_CLASS, OBJECT_OPERATOR_CLASS]),
        OP_FAMILY_REF => !within(&[OP_CLASS_FOR_ORDER_BY]),
        PROPERTY_GRAPH_REF => !within(&[GRAPH_TABLE_FN]),
        TEXT_SEARCH_DICTIONARY_REF => {
            within(&[ALTER_TEXT_SEARCH_DICTIONARY, DROP_TEXT_SEARCH_DICT, OBJECT_TEXT_SEARCH_DICT])
        }
        // The multirange type that is created together with a range type.
        PATH_TYPE => within(&[ATTRIBUTE_VALUE]) && is_option(parent, &["multirange_type_name"]),
        _ => false,
    }
}

/// The lookup of the operator `node` if a statement creates, alters or drops it.
pub(super) fn lookup_of_operator(node: Node<'_>) -> Option<Lookup> {
    use SyntaxKind::{ATTRIBUTE_VALUE, CREATE_OPERATOR, OBJECT_OPERATOR, OP, OP_SIG};
    match node.kind() {
        OP if node
            .parent()
            .is_some_and(|parent| matches!(parent.kind(), CREATE_OPERATOR | OBJECT_OPERATOR | OP_SIG)) =>
        {
            Some(Lookup::Own)
        }
        // A commutator or negator is created if it does not exist, and altered if it does.
        ATTRIBUTE_VALUE if is_operator(node.text()) && is_option(Some(node), &["commutator", "negator"]) => {
            Some(Lookup::OwnOperator)
        }
        _ => None,
    }
}

fn is_operator(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|sign| "+-*/<>=~!@#%^&|`?".contains(sign))
}

/// Whether `value` belongs to one of these options, given in lower case.
fn is_option(value: Option<Node<'_>>, options: &[&str]) -> bool {
    let option = value.and_then(Node::parent).filter(|option| option.kind() == SyntaxKind::ATTRIBUTE_OPTION);
    let name = option.and_then(|option| option.child(SyntaxKind::ATTRIBUTE_NAME));
    name.is_some_and(|name| options.contains(&super::normalized(name.text()).as_str()))
}

#[cfg(test)]
mod tests;
