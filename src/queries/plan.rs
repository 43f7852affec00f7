//! Query plans: for each table, whether it is accessed by an index. Plans are requested with sequential scans disabled,
//! since the server would otherwise scan small tables.

use std::collections::BTreeMap;

use serde_json::Value;

/// How the rows of a table are accessed, from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// An index scan with a condition; the name is the index.
    IndexScan(String),
    /// A scan of a whole index; the name is the index.
    FullIndexScan(String),
    /// A sequential scan.
    SeqScan,
}

impl Access {
    fn rank(&self) -> usize {
        match self {
            Self::IndexScan(_) => 0,
            Self::FullIndexScan(_) => 1,
            Self::SeqScan => 2,
        }
    }

    fn index(&self) -> Option<&str> {
        match self {
            Self::IndexScan(index) | Self::FullIndexScan(index) => Some(index),
            Self::SeqScan => None,
        }
    }
}

/// The worst access to each table of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(BTreeMap<String, Access>);

impl Plan {
    /// Reads the output of `EXPLAIN (VERBOSE, FORMAT JSON)`.
    pub fn read(explained: &Value) -> Self {
        let mut plan = Self::default();
        for top in explained.as_array().into_iter().flatten() {
            plan.add(&top["Plan"]);
        }
        plan
    }

    fn add(&mut self, node: &Value) {
        let text = |key: &str| node[key].as_str().unwrap_or_default();
        let below = || node["Plans"].as_array().into_iter().flatten();
        let index = text("Index Name").to_owned();
        let access = match text("Node Type") {
            "Seq Scan" => Some(Access::SeqScan),
            "Index Scan" | "Index Only Scan" if node["Index Cond"].is_string() => {
                Some(Access::IndexScan(index))
            }
            "Index Scan" | "Index Only Scan" => Some(Access::FullIndexScan(index)),
            "Bitmap Heap Scan" => Some(Access::IndexScan(below().find_map(first_index).unwrap_or_default())),
            _ => None,
        };
        if let Some(access) = access {
            let table = format!("{}.{}", text("Schema"), text("Relation Name"));
            let worst = self.0.entry(table).or_insert_with(|| access.clone());
            if access.rank() > worst.rank() {
                *worst = access;
            }
        }
        for node in below() {
            self.add(node);
        }
    }

    /// Describes the tables with worse access in `after`. If another table has better access, the server only changed the
    /// join order, and the result is `None`.
    pub fn regressions(&self, after: &Self) -> Option<String> {
        let both = || self.0.iter().filter_map(|(table, was)| Some((table, was, after.0.get(table)?)));
        if both().any(|(_, was, is)| is.rank() < was.rank()) {
            return None;
        }
        let lost = both().filter(|(_, was, is)| is.rank() > was.rank());
        let lost: Vec<_> = lost
            .filter_map(|(table, was, _)| {
                Some(format!("scans all of {table}; before, it used the index {}", was.index()?))
            })
            .collect();
        (!lost.is_empty()).then(|| lost.join("; "))
    }
}

fn first_index(node: &Value) -> Option<String> {
    let own = node["Index Name"].as_str().map(str::to_owned);
    own.or_else(|| node["Plans"].as_array()?.iter().find_map(first_index))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scan(table: &str, kind: &str, index: Option<&str>, sought: bool) -> Value {
        let mut node = json!({ "Node Type": kind, "Schema": "s", "Relation Name": table });
        if let Some(index) = index {
            node["Index Name"] = index.into();
        }
        if sought {
            node["Index Cond"] = "(x = $1)".into();
        }
        node
    }

    fn plan(nodes: Vec<Value>) -> Plan {
        Plan::read(&json!([{ "Plan": { "Node Type": "Nested Loop", "Plans": nodes } }]))
    }

    #[test]
    fn an_index_that_is_no_longer_used_is_reported() {
        let sought = || scan("t", "Index Scan", Some("i"), true);
        let read = || scan("t", "Seq Scan", None, false);
        let expected = Some("scans all of s.t; before, it used the index i".to_owned());
        assert_eq!(plan(vec![sought()]).regressions(&plan(vec![read()])), expected);
        assert_eq!(plan(vec![sought()]).regressions(&plan(vec![sought(), read()])), expected);
        assert_eq!(
            plan(vec![sought()]).regressions(&plan(vec![scan("t", "Index Only Scan", Some("pk"), false)])),
            expected
        );
        assert_eq!(plan(vec![read()]).regressions(&plan(vec![sought()])), None);
        assert_eq!(
            plan(vec![sought()]).regressions(&plan(vec![scan("t", "Index Scan", Some("j"), true)])),
            None
        );
        let bitmap = json!({ "Node Type": "Bitmap Heap Scan", "Schema": "s", "Relation Name": "t",
            "Plans": [{ "Node Type": "BitmapAnd", "Plans": [{ "Node Type": "Bitmap Index Scan", "Index Name": "i" }] }] });
        assert_eq!(plan(vec![bitmap]).regressions(&plan(vec![read()])), expected);
    }

    #[test]
    fn another_join_order_is_not_reported() {
        let sought = |table: &str| scan(table, "Index Scan", Some("i"), true);
        let read = |table: &str| scan(table, "Seq Scan", None, false);
        let (one, other) = (plan(vec![sought("a"), read("b")]), plan(vec![read("a"), sought("b")]));
        assert_eq!(one.regressions(&other), None);
        assert!(plan(vec![sought("a"), read("b")]).regressions(&plan(vec![read("a"), read("b")])).is_some());
        // A dropped table, or one behind a view of another name, is not compared.
        assert_eq!(plan(vec![sought("a")]).regressions(&plan(vec![read("b")])), None);
    }
}
