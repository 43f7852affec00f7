//! The results of operations on tenants' roles as text.

use std::fmt::Write as _;

use crate::output::{Paint, failure, plural};
use crate::tenant::{Granted, LoggedIn, Password, Sessions};

/// The result of `tenant login`.
pub fn logged_in(done: &LoggedIn, paint: Paint) -> String {
    let slug = paint.bold(&done.tenant.slug);
    let mut text = match &done.password {
        Some(_) => format!("{}: {slug} can log in\n", paint.good("done")),
        None => format!("{}: {slug} can no longer log in  role {}\n", paint.good("done"), done.role),
    };
    text.push_str(&password(Some(&done.role), done.password.as_ref()));
    if let Some(sessions) = &done.sessions {
        text.push_str(&sessions_text(sessions));
    }
    text
}

/// The result of `tenant grant`.
pub fn granted(granted: &Granted, paint: Paint) -> String {
    let mut text = String::new();
    for failed in &granted.failures {
        let _written = writeln!(text, "{}\n", failure(&failed.failure, paint));
    }
    for tenant in &granted.granted {
        let slug = paint.bold(&tenant.slug);
        let _written = writeln!(text, "{} {slug}  role {}", paint.good("granted"), tenant.role);
    }
    let counts = [granted.granted.len(), granted.unchanged, granted.failures.len()];
    let _written = writeln!(text, "{} granted, {} unchanged, {} failed", counts[0], counts[1], counts[2]);
    text
}

/// A new password, or an empty string.
pub(in crate::tenant) fn password(role: Option<&str>, password: Option<&Password>) -> String {
    match (role, password) {
        (Some(role), Some(password)) => {
            format!("  role {role}  password {}  (it is not shown again)\n", password.reveal())
        }
        _ => String::new(),
    }
}

/// The ended and remaining sessions of a role.
pub(in crate::tenant) fn sessions_text(sessions: &Sessions) -> String {
    let mut text = String::new();
    if sessions.ended > 0 {
        let _written = writeln!(text, "  {} of its role ended", plural(sessions.ended, "session"));
    }
    if sessions.left > 0 {
        let because = sessions.because.as_deref().unwrap_or_default();
        let _written =
            writeln!(text, "  {} of its role still open: {because}", plural(sessions.left, "session"));
    }
    text
}
