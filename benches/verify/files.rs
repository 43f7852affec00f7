//! The measured files: a realistic chain of migrations, each with exactly [`STATEMENTS`] statements of mixed kinds and few
//! findings.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Statements per file.
pub const STATEMENTS: usize = 20;

/// Writes a project with `count` migrations into `root`. Returns their paths, in order.
pub fn write(root: &Path, count: usize) -> Vec<PathBuf> {
    let folder = root.join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    (0..count)
        .map(|number| {
            let (from, to) = (version(number), version(number + 1));
            let path = folder.join(format!("v{from}_to_v{to}_feature_{number}.sql"));
            std::fs::write(&path, text(number, &from, &to)).unwrap();
            path
        })
        .collect()
}

fn version(number: usize) -> String {
    format!("{}.{}.{}", number / 100, number / 10 % 10, number % 10)
}

/// One migration: new tables with their indexes and constraints, and changes of older tables.
fn text(number: usize, from: &str, to: &str) -> String {
    let mut text = format!(
        "-- Migration: v{from} to v{to}\n-- Description: Feature {number}: what it needs in the database\n\nBEGIN;\n\n"
    );
    // The first file creates the table that the others change.
    let older = number.saturating_sub(1);
    for (place, sql) in STATEMENTS_OF_A_FILE.iter().enumerate() {
        let sql = sql.replace("{n}", &number.to_string()).replace("{older}", &older.to_string());
        let _ = write!(text, "-- {number}.{place}\n{sql}\n\n");
    }
    text.push_str("COMMIT;\n");
    text
}

const STATEMENTS_OF_A_FILE: [&str; STATEMENTS] = [
    "SET LOCAL lock_timeout = '5s';",
    "SET LOCAL statement_timeout = '10min';",
    "CREATE TABLE datalinx_platform.orders_{n} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'paid', 'shipped', 'cancelled')),
    total numeric(12, 2) NOT NULL DEFAULT 0,
    currency text NOT NULL DEFAULT 'EUR',
    settings jsonb NOT NULL DEFAULT '{}'::jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz
);",
    "CREATE TABLE datalinx_platform.order_lines_{n} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL REFERENCES datalinx_platform.orders_{n} (id) ON DELETE CASCADE,
    position bigint NOT NULL,
    article text NOT NULL,
    amount bigint NOT NULL DEFAULT 1 CHECK (amount > 0),
    price numeric(12, 2) NOT NULL,
    UNIQUE (order_id, position)
);",
    "CREATE INDEX orders_{n}_customer ON datalinx_platform.orders_{n} (customer_id);",
    "CREATE INDEX orders_{n}_open ON datalinx_platform.orders_{n} (created_at) WHERE state = 'open';",
    "CREATE UNIQUE INDEX order_lines_{n}_article ON datalinx_platform.order_lines_{n} (order_id, lower(article));",
    "COMMENT ON TABLE datalinx_platform.orders_{n} IS 'What customers ordered; one row an order';",
    "ALTER TABLE datalinx_platform.orders_{older} ADD COLUMN IF NOT EXISTS note text;",
    "ALTER TABLE datalinx_platform.orders_{older} ADD COLUMN IF NOT EXISTS priority bigint NOT NULL DEFAULT 0;",
    "CREATE VIEW datalinx_platform.open_orders_{n} AS
    SELECT o.id, o.customer_id, o.total, count(l.id) AS lines, coalesce(sum(l.price * l.amount), 0) AS worth
    FROM datalinx_platform.orders_{n} o
    LEFT JOIN datalinx_platform.order_lines_{n} l ON l.order_id = o.id
    WHERE o.state = 'open' AND o.created_at > now() - interval '90 days'
    GROUP BY o.id, o.customer_id, o.total;",
    "CREATE FUNCTION datalinx_platform.touch_{n}() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    NEW.updated_at := now();
    IF NEW.total < 0 THEN
        RAISE EXCEPTION 'an order is worth at least nothing';
    END IF;
    RETURN NEW;
END;
$body$;",
    "CREATE TRIGGER touch_orders_{n} BEFORE UPDATE ON datalinx_platform.orders_{n}
    FOR EACH ROW EXECUTE FUNCTION datalinx_platform.touch_{n}();",
    "INSERT INTO datalinx_platform.orders_{n} (customer_id, state, total)
    VALUES (1, 'open', 10.50), (2, 'paid', 99.99), (3, 'cancelled', 0) ON CONFLICT DO NOTHING;",
    "UPDATE datalinx_platform.orders_{older} SET note = 'moved' WHERE note IS NULL AND state = 'shipped';",
    "GRANT SELECT, INSERT, UPDATE ON datalinx_platform.orders_{n} TO PUBLIC;",
    "-- Scope: tenant
CREATE TABLE tasks_{n} (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL,
    due date,
    done boolean NOT NULL DEFAULT false,
    labels text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);",
    "CREATE INDEX tasks_{n}_due ON tasks_{n} (due) WHERE NOT done;",
    "ALTER TABLE tasks_{older} ADD COLUMN IF NOT EXISTS colour text;",
    "DELETE FROM tasks_{older} WHERE done AND due < current_date - 365;",
];
