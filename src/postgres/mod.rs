//! All that talks to PostgreSQL. Only this layer names the driver, `sqlx`; nothing here knows the
//! command line, a report, or the environment, which come in as arguments.

pub mod server;
