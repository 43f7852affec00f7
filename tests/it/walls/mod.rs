//! Walls between tenants: a role each, what it may and may not do, and what an audit finds.

mod logins;
mod server;
mod settings;
