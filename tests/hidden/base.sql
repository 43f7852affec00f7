-- A small business, as the release that still runs left it: every case of this folder begins here.
-- The release connects as hidden_app. Tables of the tenant are written bare, those of the platform qualified.

-- section: roles
CREATE ROLE hidden_app LOGIN;
CREATE ROLE hidden_reader;

-- section: platform
CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE SCHEMA IF NOT EXISTS datalinx_platform;
CREATE TYPE datalinx_platform.member_level AS ENUM ('guest', 'member', 'admin');
CREATE SEQUENCE datalinx_platform.request_numbers;

CREATE TABLE datalinx_platform.plans (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code text NOT NULL CONSTRAINT plans_code_key UNIQUE,
    seats int NOT NULL DEFAULT 5,
    monthly_price numeric(10, 2) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE datalinx_platform.organizations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(255) NOT NULL,
    slug varchar(100) NOT NULL UNIQUE,
    schema_name varchar(100) NOT NULL UNIQUE,
    plan_id uuid REFERENCES datalinx_platform.plans (id),
    settings jsonb DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE datalinx_platform.users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid REFERENCES datalinx_platform.organizations (id) ON DELETE CASCADE,
    email varchar(255) NOT NULL CONSTRAINT users_email_key UNIQUE,
    handle public.citext,
    display_name varchar(100),
    role varchar(50) NOT NULL DEFAULT 'viewer' CHECK (role IN ('viewer', 'editor', 'owner')),
    locale text NOT NULL DEFAULT 'en',
    locked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX users_organization_idx ON datalinx_platform.users (organization_id);
CREATE TABLE datalinx_platform.memberships (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES datalinx_platform.users (id) ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES datalinx_platform.organizations (id) ON DELETE CASCADE,
    level datalinx_platform.member_level NOT NULL DEFAULT 'member',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, organization_id)
);
CREATE TABLE datalinx_platform.sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES datalinx_platform.users (id) ON DELETE CASCADE,
    token text NOT NULL UNIQUE,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE datalinx_platform.api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES datalinx_platform.organizations (id) ON DELETE CASCADE,
    prefix varchar(12) NOT NULL,
    revoked boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE datalinx_platform.api_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_key ON datalinx_platform.api_keys USING (true);

CREATE VIEW datalinx_platform.live_users AS
    SELECT id, organization_id, email FROM datalinx_platform.users WHERE locked_at IS NULL;
CREATE VIEW datalinx_platform.live_members AS
    SELECT u.email, m.level FROM datalinx_platform.live_users u
    JOIN datalinx_platform.memberships m ON m.user_id = u.id;
CREATE MATERIALIZED VIEW datalinx_platform.seats_used AS
    SELECT organization_id, count(*) AS seats FROM datalinx_platform.users GROUP BY organization_id;

CREATE FUNCTION datalinx_platform.user_label(who text) RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT display_name || ' <' || email || '>' FROM datalinx_platform.users WHERE email = who $$;
CREATE FUNCTION datalinx_platform.count_sessions() RETURNS bigint LANGUAGE sql STABLE
    AS $$ SELECT count(*) FROM datalinx_platform.sessions $$;
CREATE FUNCTION datalinx_platform.prune_sessions() RETURNS int LANGUAGE plpgsql
    AS $$ BEGIN DELETE FROM datalinx_platform.sessions; RETURN 0; END $$;
CREATE FUNCTION datalinx_platform.apply_text(what text) RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN EXECUTE what; END $$;
CREATE FUNCTION datalinx_platform.refuse_ddl() RETURNS event_trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'no changes now'; END $$;

GRANT USAGE ON SCHEMA datalinx_platform TO hidden_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON datalinx_platform.plans, datalinx_platform.organizations,
    datalinx_platform.users, datalinx_platform.memberships, datalinx_platform.sessions, datalinx_platform.api_keys
    TO hidden_app;
GRANT SELECT ON datalinx_platform.live_users, datalinx_platform.live_members, datalinx_platform.seats_used TO hidden_app;
GRANT USAGE ON SEQUENCE datalinx_platform.request_numbers TO hidden_app;

-- section: tenant
CREATE TYPE order_status AS ENUM ('open', 'paid', 'on_hold', 'shipped');
CREATE TYPE postal_address AS (street text, zip text, city text);
CREATE DOMAIN sku_code AS text CONSTRAINT sku_code_upper CHECK (VALUE = upper(VALUE));
CREATE DOMAIN phone_number AS text;
CREATE SEQUENCE order_numbers;
CREATE SEQUENCE receipt_numbers;

CREATE TABLE customers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL CONSTRAINT customers_email_key UNIQUE,
    name text NOT NULL,
    nickname text,
    phone phone_number,
    country text NOT NULL DEFAULT 'DE' CONSTRAINT customers_country_code CHECK (length(country) = 2),
    home postal_address,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX customers_name_idx ON customers (name);
CREATE TABLE products (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sku sku_code NOT NULL,
    title varchar(80) NOT NULL,
    summary varchar(40),
    price numeric(10, 2) NOT NULL,
    cost numeric(10, 2) NOT NULL,
    label text GENERATED ALWAYS AS (sku::text || ': ' || title::text) STORED,
    tags text[] NOT NULL DEFAULT '{}',
    retired_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE products ADD CONSTRAINT products_price_positive CHECK (price >= 0) NOT VALID;
CREATE UNIQUE INDEX products_sku_live ON products (sku) WHERE retired_at IS NULL;
CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number int NOT NULL DEFAULT nextval('order_numbers') CONSTRAINT orders_number_key UNIQUE,
    customer_id uuid NOT NULL CONSTRAINT orders_customer_fk REFERENCES customers (id) ON DELETE CASCADE,
    status order_status NOT NULL DEFAULT 'open',
    net numeric(10, 2) NOT NULL DEFAULT 0,
    tax numeric(10, 2) NOT NULL DEFAULT 0,
    total numeric GENERATED ALWAYS AS (net + tax) STORED,
    note text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE TABLE order_lines (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    order_id uuid NOT NULL CONSTRAINT order_lines_order_fk REFERENCES orders (id) ON DELETE CASCADE,
    product_id uuid NOT NULL CONSTRAINT order_lines_product_fk REFERENCES products (id),
    quantity int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_email text NOT NULL,
    external_id uuid NOT NULL,
    amount numeric(10, 2) NOT NULL,
    fee numeric(10, 2) NOT NULL DEFAULT 0,
    method text NOT NULL DEFAULT 'card',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tickets (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT tickets_number_key UNIQUE,
    subject text NOT NULL,
    body text,
    search_text text NOT NULL,
    closed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE settings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key text NOT NULL CONSTRAINT settings_key_key UNIQUE,
    value jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_log (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    actor_id uuid,
    what text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE invoices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number text NOT NULL UNIQUE,
    amount numeric(10, 2) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE invoices_old (LIKE invoices INCLUDING ALL);
CREATE TABLE salaries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person text NOT NULL,
    amount numeric(10, 2) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Partitions: by month with a default one, by region without.
CREATE TABLE events (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    day date NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE readings (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    region text NOT NULL,
    amount int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, region)
) PARTITION BY LIST (region);
CREATE TABLE readings_eu PARTITION OF readings FOR VALUES IN ('eu');
CREATE TABLE readings_us PARTITION OF readings FOR VALUES IN ('us');

-- A parent and its child; letters looks like a child and is none.
CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL,
    body text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE contracts (party text) INHERITS (documents);
CREATE TABLE letters (LIKE documents INCLUDING ALL);

-- Row security: on and open, off with a policy that waits, on for a table of the release's own.
CREATE TABLE notes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    body text NOT NULL,
    pinned boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_notes ON notes USING (true);
CREATE TABLE memos (LIKE notes INCLUDING ALL);
CREATE POLICY no_memos ON memos USING (false);
CREATE TABLE drafts (LIKE notes INCLUDING ALL);
ALTER TABLE drafts ENABLE ROW LEVEL SECURITY;
GRANT CREATE ON SCHEMA {org_schema} TO hidden_app;
ALTER TABLE drafts OWNER TO hidden_app;

CREATE VIEW active_customers AS SELECT id, email, name, country, active FROM customers WHERE active;
CREATE VIEW customer_orders AS
    SELECT c.email, o.number, o.net FROM active_customers c JOIN orders o ON o.customer_id = c.id;
CREATE VIEW open_orders AS SELECT number, net, tax, net + tax AS due FROM orders WHERE status = 'open';
CREATE VIEW order_sums AS SELECT customer_id, sum(net) AS net FROM orders GROUP BY customer_id;
CREATE MATERIALIZED VIEW sales AS SELECT c.email, s.net FROM order_sums s JOIN customers c ON c.id = s.customer_id;
CREATE UNIQUE INDEX sales_email_key ON sales (email);

CREATE FUNCTION order_total(wanted int) RETURNS numeric LANGUAGE sql STABLE
    AS $$ SELECT net + tax FROM orders WHERE number = wanted $$;
CREATE FUNCTION find_customers(part text) RETURNS SETOF text LANGUAGE sql STABLE
    AS $$ SELECT email FROM customers WHERE name ILIKE '%' || part || '%' ORDER BY email $$;
CREATE FUNCTION discounted(price numeric, percent numeric) RETURNS numeric LANGUAGE sql IMMUTABLE
    AS $$ SELECT round(price * (100 - coalesce(percent, 0)) / 100, 2) $$;
CREATE FUNCTION salary_count() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
    AS $$ SELECT count(*) FROM salaries $$;
CREATE FUNCTION count_rows(relation text) RETURNS bigint LANGUAGE plpgsql STABLE
    AS $$ DECLARE found_rows bigint; BEGIN EXECUTE format('SELECT count(*) FROM %I', relation) INTO found_rows; RETURN found_rows; END $$;
CREATE FUNCTION next_receipt() RETURNS text LANGUAGE sql
    AS $$ SELECT 'R-' || (nextval('receipt_numbers') > 0)::text $$;
CREATE FUNCTION purge_orders(before timestamptz) RETURNS int LANGUAGE plpgsql
    AS $$ BEGIN DELETE FROM orders WHERE created_at <= before; RETURN 0; END $$;
CREATE FUNCTION tidy_tickets(ticket text) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN DELETE FROM tickets WHERE subject = ticket; RETURN ticket; END $$;
CREATE FUNCTION apply_text(what text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE what; END $$;
CREATE PROCEDURE close_year(wanted int) LANGUAGE plpgsql
    AS $$ BEGIN DELETE FROM events WHERE extract(year FROM day) = wanted; END $$;
CREATE FUNCTION remove_customer(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE gone uuid; left_over bigint;
BEGIN
    DELETE FROM customers WHERE email = wanted RETURNING id INTO gone;
    SELECT count(*) INTO left_over FROM orders WHERE customer_id = gone;
    RETURN left_over;
END $$;
CREATE FUNCTION remove_product(wanted text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM products WHERE sku = wanted;
    RETURN 'deleted';
EXCEPTION WHEN foreign_key_violation THEN
    UPDATE products SET retired_at = now() WHERE sku = wanted;
    RETURN 'retired';
END $$;
CREATE FUNCTION fill_search_text() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.search_text = lower(NEW.subject); RETURN NEW; END $$;
CREATE FUNCTION apply_setting() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN IF NEW.key = 'retention' THEN DELETE FROM audit_log; END IF; RETURN NEW; END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
CREATE FUNCTION skip_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;

CREATE TRIGGER tickets_search BEFORE INSERT OR UPDATE ON tickets FOR EACH ROW EXECUTE FUNCTION fill_search_text();
CREATE TRIGGER settings_apply AFTER INSERT ON settings FOR EACH ROW EXECUTE FUNCTION apply_setting();

GRANT SELECT, INSERT, UPDATE, DELETE ON customers, products, orders, order_lines, payments, tickets, settings,
    audit_log, invoices, invoices_old, events, readings, documents, contracts, letters, notes, memos TO hidden_app;
GRANT SELECT, INSERT ON active_customers TO hidden_app;
GRANT SELECT ON customer_orders, open_orders, order_sums, sales TO hidden_app;
GRANT USAGE ON SEQUENCE order_numbers, receipt_numbers TO hidden_app;

-- section: platform rows
INSERT INTO datalinx_platform.plans (id, code, seats, monthly_price) VALUES
    ('00000000-0000-4000-8000-000000000001', 'free', 2, 0),
    ('00000000-0000-4000-8000-000000000002', 'team', 10, 29.5),
    ('00000000-0000-4000-8000-000000000003', 'firm', 100, 199);
INSERT INTO datalinx_platform.organizations (id, name, slug, schema_name, plan_id, settings) VALUES
    ('00000000-0000-4000-8000-000000000011', 'Acme Corp', 'acme', 'org_acme', '00000000-0000-4000-8000-000000000001', '{"theme": "dark"}'),
    ('00000000-0000-4000-8000-000000000012', 'Birch Ltd', 'birch', 'org_birch', '00000000-0000-4000-8000-000000000002', '{}'),
    ('00000000-0000-4000-8000-000000000013', 'Cedar Inc', 'cedar', 'org_cedar', '00000000-0000-4000-8000-000000000003', '{"theme": "light"}');
INSERT INTO datalinx_platform.users (id, organization_id, email, handle, display_name, role, locale, locked_at) VALUES
    ('00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000011', 'ann@example.com', 'Ann', 'Ann Ash', 'owner', 'en', NULL),
    ('00000000-0000-4000-8000-000000000022', '00000000-0000-4000-8000-000000000012', 'ben@example.com', 'Ben', 'Ben Beech', 'editor', 'de', NULL),
    ('00000000-0000-4000-8000-000000000023', '00000000-0000-4000-8000-000000000013', 'cat@example.com', 'Cat', 'Cat Cole', 'viewer', 'fr', '2025-03-01');
INSERT INTO datalinx_platform.memberships (user_id, organization_id, level) VALUES
    ('00000000-0000-4000-8000-000000000021', '00000000-0000-4000-8000-000000000011', 'admin'),
    ('00000000-0000-4000-8000-000000000022', '00000000-0000-4000-8000-000000000011', 'guest'),
    ('00000000-0000-4000-8000-000000000022', '00000000-0000-4000-8000-000000000012', 'member');
INSERT INTO datalinx_platform.sessions (user_id, token, expires_at) VALUES
    ('00000000-0000-4000-8000-000000000021', 'token-a', '2030-01-01'),
    ('00000000-0000-4000-8000-000000000022', 'token-b', '2030-01-02'),
    ('00000000-0000-4000-8000-000000000023', 'token-c', '2030-01-03');
INSERT INTO datalinx_platform.api_keys (organization_id, prefix, revoked) VALUES
    ('00000000-0000-4000-8000-000000000011', 'key_a', false),
    ('00000000-0000-4000-8000-000000000012', 'key_b', true),
    ('00000000-0000-4000-8000-000000000013', 'key_c', false);
REFRESH MATERIALIZED VIEW datalinx_platform.seats_used;

-- section: tenant rows
INSERT INTO customers (id, email, name, nickname, phone, country, home, active) VALUES
    ('00000000-0000-4000-8000-000000000101', 'dora@example.com', 'Dora Dale', 'dd', '+49 30 1', 'DE', ROW('Elm 1', '10115', 'Berlin'), true),
    ('00000000-0000-4000-8000-000000000102', 'emil@example.com', 'Emil Ekes', 'emi', '+43 1 2', 'AT', ROW('Oak 2', '1010', 'Wien'), true),
    ('00000000-0000-4000-8000-000000000103', 'fay@example.com', 'Fay Ford', NULL, '+44 20 3', 'GB', ROW('Ash 3', 'E1 6AN', 'London'), false),
    ('00000000-0000-4000-8000-000000000104', 'gus@example.com', 'Gus Gale', 'gg', '+49 30 9', 'DE', NULL, true);
INSERT INTO products (id, sku, title, summary, price, cost, tags) VALUES
    ('00000000-0000-4000-8000-000000000111', 'A-100', 'Steel desk lamp', 'adjustable, with a clamp', 49.9, 20.25, '{light,desk}'),
    ('00000000-0000-4000-8000-000000000112', 'A-200', 'Oak shelf', 'three boards, oiled', 120, 64.4, '{wood}'),
    ('00000000-0000-4000-8000-000000000113', 'B-100', 'Wall clock', NULL, 15.75, 6.1, '{}');
INSERT INTO orders (id, customer_id, status, net, tax, note) VALUES
    ('00000000-0000-4000-8000-000000000121', '00000000-0000-4000-8000-000000000101', 'open', 100, 19, 'ring twice'),
    ('00000000-0000-4000-8000-000000000122', '00000000-0000-4000-8000-000000000101', 'paid', 50.5, 9.6, NULL),
    ('00000000-0000-4000-8000-000000000123', '00000000-0000-4000-8000-000000000102', 'on_hold', 15.75, 3, 'wait for stock'),
    ('00000000-0000-4000-8000-000000000124', '00000000-0000-4000-8000-000000000103', 'shipped', 240, 45.6, NULL);
INSERT INTO order_lines (order_id, product_id, quantity) VALUES
    ('00000000-0000-4000-8000-000000000121', '00000000-0000-4000-8000-000000000111', 2),
    ('00000000-0000-4000-8000-000000000122', '00000000-0000-4000-8000-000000000111', 1),
    ('00000000-0000-4000-8000-000000000123', '00000000-0000-4000-8000-000000000113', 1),
    ('00000000-0000-4000-8000-000000000124', '00000000-0000-4000-8000-000000000112', 2);
INSERT INTO payments (customer_email, external_id, amount, fee, method) VALUES
    ('dora@example.com', '00000000-0000-4000-8000-000000000131', 60.1, 1.25, 'card'),
    ('emil@example.com', '00000000-0000-4000-8000-000000000132', 18.75, 0.4, 'cash'),
    ('fay@example.com', '00000000-0000-4000-8000-000000000133', 285.6, 3.3, 'card');
INSERT INTO tickets (subject, body, closed_at) VALUES
    ('Lamp flickers', 'since Monday', NULL),
    ('Late parcel', 'where is it', '2025-02-01'),
    ('Wrong colour', 'ordered oak', NULL);
INSERT INTO settings (key, value) VALUES
    ('theme', '{"mode": "dark", "accent": "blue"}'),
    ('billing', '{"day": 1, "currency": "EUR"}'),
    ('mail', '{"from": "shop@example.com"}');
INSERT INTO audit_log (actor_id, what) VALUES
    ('00000000-0000-4000-8000-000000000101', 'signed in'),
    ('00000000-0000-4000-8000-000000000102', 'changed an address'),
    (NULL, 'nightly job');
INSERT INTO invoices (number, amount) VALUES ('2025-1', 119), ('2025-2', 60.1), ('2025-3', 18.75);
INSERT INTO invoices_old (number, amount) VALUES ('2019-1', 10), ('2019-2', 20), ('2019-3', 30), ('2019-4', 40);
INSERT INTO salaries (person, amount) VALUES ('Hal', 3000), ('Ida', 3200), ('Jon', 2800);
INSERT INTO events (day, kind) VALUES
    ('2024-05-01', 'login'), ('2024-06-01', 'export'), ('2025-05-01', 'login'), ('2025-07-01', 'login'), ('2026-02-01', 'import');
INSERT INTO readings (region, amount) VALUES ('eu', 7), ('eu', 8), ('us', 9);
INSERT INTO documents (title, body) VALUES ('Handbook', 'Read me.'), ('Policy', 'Be kind.'), ('Plan', 'Grow.');
INSERT INTO contracts (title, body, party) VALUES ('Lease', 'Ten years.', 'Kim'), ('Supply', 'Weekly.', 'Lou'), ('Care', 'Monthly.', 'Max');
INSERT INTO letters (title, body) VALUES ('Thanks', 'For the fish.'), ('Hello', 'To all.'), ('Bye', 'For now.');
INSERT INTO notes (body, pinned) VALUES ('call Dora', true), ('order lamps', false), ('tidy up', false);
INSERT INTO memos (body, pinned) VALUES ('first memo', false), ('second memo', true), ('third memo', false);
INSERT INTO drafts (body, pinned) VALUES ('one', false), ('two', false), ('three', true);
REFRESH MATERIALIZED VIEW sales;
