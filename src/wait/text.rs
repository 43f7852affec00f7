//! The text of `wait`.

use std::time::Duration;

use super::{Missing, Waited};
use crate::error::{Code, Failure};
use crate::output::{Paint, Text, elapsed, first_names, grouped, or_dash, plural};

/// The text of a wait that succeeded.
pub fn reached(waited: &Waited, paint: Paint) -> Text {
    let tenants = plural(waited.tenants.total, "tenant");
    let what = if waited.platform.is_some() { format!("the platform and {tenants}") } else { tenants };
    let took = u64::try_from(waited.waited_ms).unwrap_or(u64::MAX);
    Text::of_line(format_args!(
        "{}  {what} at {} or later, after {}",
        paint.good("reached"),
        waited.version,
        elapsed(took)
    ))
}

/// The failure at the time limit.
pub fn failure(waited: &Waited, timeout: Duration) -> Failure {
    let within = if timeout.is_zero() {
        "is not reached".to_owned()
    } else {
        format!("was not reached within {}", elapsed(timeout.as_millis()))
    };
    let message = format!("version {} {within}: {}", waited.version, waited.state());
    let failure = Failure::new(Code::WaitTimeout, message);
    let is_unknown = |missing: &&Missing| missing.tenant.schema.is_none();
    if let Some(unknown) = waited.missing.iter().find(is_unknown) {
        let hint = format!(
            "there is no tenant {:?} with a schema; `tenure tenant list` lists the tenants",
            name(unknown)
        );
        return failure.hint(hint);
    }
    failure
        .hint("`tenure status --tenants` shows the versions, `tenure migrate up` migrates what is behind; --timeout waits longer")
}

/// What is missing, at the time limit.
pub fn missing(waited: &Waited, paint: Paint) -> Text {
    let mut text = Text::default();
    if let Some(platform) = waited.platform.as_ref().filter(|platform| !platform.reached) {
        text.line(format_args!(
            "{}  {}  {}",
            paint.bad("platform"),
            platform.schema,
            or_dash(platform.version.as_ref())
        ));
    }
    for (version, tenants) in grouped(waited.missing.iter().map(|missing| (missing.version.clone(), missing)))
    {
        let count = version.as_ref().and_then(|version| waited.tenants.versions.get(version)).copied();
        let names = first_names(tenants.iter().map(|tenant| name(tenant)));
        let at = version.map_or_else(|| "without a version".to_owned(), |version| format!("at {version}"));
        text.line(format_args!(
            "{}   {} {at}: {names}",
            paint.bad("tenants"),
            count.unwrap_or(tenants.len())
        ));
    }
    text
}

fn name(missing: &Missing) -> &str {
    let tenant = &missing.tenant;
    tenant.slug.as_deref().or(tenant.schema.as_deref()).unwrap_or("–")
}
