//! The results of operations on tenants' roles as text.

use crate::output::{Paint, Text, failure, plural};
use crate::tenant::{Granted, LoggedIn, Password, Sessions};

/// The result of `tenant login`.
pub fn logged_in(done: &LoggedIn, paint: Paint) -> Text {
    let slug = paint.bold(&done.tenant.slug);
    let head = paint.good("done");
    let mut text = if done.password.is_some() {
        Text::of_line(format_args!("{head}: {slug} can log in"))
    } else {
        Text::of_line(format_args!("{head}: {slug} can no longer log in  role {}", done.role))
    };
    text.append(&password(Some(&done.role), done.password.as_ref()));
    if let Some(sessions) = &done.sessions {
        text.append(&sessions_text(sessions));
    }
    text
}

/// The result of `tenant grant`.
pub fn granted(granted: &Granted, paint: Paint) -> Text {
    let mut text = Text::default();
    for failed in &granted.failures {
        text.append(&failure(&failed.failure, paint));
        text.blank();
    }
    for tenant in &granted.granted {
        let slug = paint.bold(&tenant.slug);
        text.line(format_args!("{} {slug}  role {}", paint.good("granted"), tenant.role));
    }
    let counts = [granted.granted.len(), granted.unchanged, granted.failures.len()];
    text.line(format_args!("{} granted, {} unchanged, {} failed", counts[0], counts[1], counts[2]));
    text
}

/// A new password, or nothing.
pub(in crate::tenant) fn password(role: Option<&str>, password: Option<&Password>) -> Text {
    match (role, password) {
        (Some(role), Some(password)) => {
            let password = password.reveal();
            Text::of_line(format_args!("  role {role}  password {password}  (it is not shown again)"))
        }
        _ => Text::default(),
    }
}

/// The ended and remaining sessions of a role.
pub(in crate::tenant) fn sessions_text(sessions: &Sessions) -> Text {
    let mut text = Text::default();
    if sessions.ended > 0 {
        text.line(format_args!("  {} of its role ended", plural(sessions.ended, "session")));
    }
    if sessions.left > 0 {
        let because = sessions.because.as_deref().unwrap_or_default();
        text.line(format_args!("  {} of its role still open: {because}", plural(sessions.left, "session")));
    }
    text
}
