//! How a query would be run: for each table whether an index leads to the rows. Small tables are always read
//! as a whole, so the server is asked to do that only where nothing else is possible.

use std::collections::BTreeMap;

use serde_json::Value;

/// How the rows of a table are come by, the best first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// An index, which is named, leads to the rows that are wanted.
    IndexScan(String),
    /// An index, which is named, gives all rows in an order.
    FullIndexScan(String),
    /// The table is read as a whole.
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
    /// Reads the server's `EXPLAIN (VERBOSE, FORMAT JSON)`.
    pub fn read(explained: &Value) -> Self {
        let mut plan = Self::default();
        for top in explained.as_array().into_iter().flatten() {
            plan.take(&top["Plan"]);
        }
        plan
    }

    fn take(&mut self, node: &Value) {
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
            self.take(node);
        }
    }

    /// What is worse in `after`, in words. Where one table is come by in a worse way and another in a better
    /// one, the server only joins them in another order.
    pub fn regressions(&self, after: &Self) -> Option<String> {
        let both = || self.0.iter().filter_map(|(table, was)| Some((table, was, after.0.get(table)?)));
        if both().any(|(_, was, is)| is.rank() < was.rank()) {
            return None;
        }
        let lost = both().filter(|(_, was, is)| is.rank() > was.rank());
        let lost: Vec<_> = lost
            .filter_map(|(table, was, _)| {
                Some(format!("reads all of {table}, which the index {} served before", was.index()?))
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
    fn an_index_that_no_longer_leads_to_the_rows_is_missed() {
        let sought = || scan("t", "Index Scan", Some("i"), true);
        let read = || scan("t", "Seq Scan", None, false);
        let told = Some("reads all of s.t, which the index i served before".to_owned());
        assert_eq!(plan(vec![sought()]).regressions(&plan(vec![read()])), told);
        assert_eq!(plan(vec![sought()]).regressions(&plan(vec![sought(), read()])), told);
        assert_eq!(
            plan(vec![sought()]).regressions(&plan(vec![scan("t", "Index Only Scan", Some("pk"), false)])),
            told
        );
        assert_eq!(plan(vec![read()]).regressions(&plan(vec![sought()])), None);
        assert_eq!(
            plan(vec![sought()]).regressions(&plan(vec![scan("t", "Index Scan", Some("j"), true)])),
            None
        );
        let bitmap = json!({ "Node Type": "Bitmap Heap Scan", "Schema": "s", "Relation Name": "t",
            "Plans": [{ "Node Type": "BitmapAnd", "Plans": [{ "Node Type": "Bitmap Index Scan", "Index Name": "i" }] }] });
        assert_eq!(plan(vec![bitmap]).regressions(&plan(vec![read()])), told);
    }

    #[test]
    fn another_order_of_a_join_is_no_loss() {
        let sought = |table: &str| scan(table, "Index Scan", Some("i"), true);
        let read = |table: &str| scan(table, "Seq Scan", None, false);
        let (one, other) = (plan(vec![sought("a"), read("b")]), plan(vec![read("a"), sought("b")]));
        assert_eq!(one.regressions(&other), None);
        assert!(plan(vec![sought("a"), read("b")]).regressions(&plan(vec![read("a"), read("b")])).is_some());
        // A table that is gone, or behind a view of another name, says nothing.
        assert_eq!(plan(vec![sought("a")]).regressions(&plan(vec![read("b")])), None);
    }
}
