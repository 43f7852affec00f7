//! Describes how to restore a database to the moment before a run: reads the WAL position that the run recorded, and derives the
//! recovery settings or the call of Neon's API. Writes nothing and restores nothing.

mod result;
pub mod text;

pub use self::result::{NeonRestore, RestorePoint, Setting};
use crate::error::{Code, Failure};
use crate::ident::SchemaName;
use crate::postgres::Connection;
use crate::postgres::metadata::runs::{self, RunRow};

pub use crate::postgres::metadata::runs::Which;

/// Reads the restore point of a run. `neon_project` is the project's id, for a Neon server that does not report it. Writes nothing.
pub async fn read(
    connection: &mut Connection,
    platform: &SchemaName,
    which: Which,
    neon_project: Option<&str>,
) -> Result<RestorePoint, Failure> {
    if let Some(row) = runs::read(connection, platform, which).await? {
        return Ok(point(row, connection.is_neon(), neon_project));
    }
    let message = match which {
        Which::Run(_) => "no run has this id",
        Which::Newest => "no run has changed anything",
    };
    Err(Failure::new(Code::RunUnknown, message).hint(newest(connection, platform).await?))
}

/// Lists the newest runs, as text for a hint.
pub async fn newest(connection: &mut Connection, platform: &SchemaName) -> Result<String, Failure> {
    let lines = runs::newest(connection, platform).await?;
    Ok(if lines.is_empty() {
        "`tenure migrate up` has not run on this database yet".to_owned()
    } else {
        format!("the newest runs:\n{}", lines.join("\n"))
    })
}

/// The restore point from the recorded row of a run.
fn point(row: RunRow, is_neon_host: bool, neon_project: Option<&str>) -> RestorePoint {
    let place = Place {
        run: &row.id,
        started_at: &row.started_at,
        lsn: row.wal_lsn.as_deref(),
        name: row.restore_point.as_deref(),
        timeline: row.timeline,
    };
    let recovery = place.recovery();
    let neon = (is_neon_host || row.neon)
        .then(|| place.neon(row.project.as_deref().or(neon_project), row.branch.as_deref()));
    RestorePoint {
        command: row.command,
        outcome: row.outcome,
        archiving: row.archiving,
        run: row.id,
        started_at: row.started_at,
        wal_lsn: row.wal_lsn,
        restore_point: row.restore_point,
        recovery,
        neon,
    }
}

/// What the run recorded about the moment before it.
struct Place<'a> {
    run: &'a str,
    started_at: &'a str,
    lsn: Option<&'a str>,
    name: Option<&'a str>,
    timeline: Option<String>,
}

impl Place<'_> {
    /// The recovery settings, with the most exact target that the run recorded: a server accepts only one (manual, chapter 20.5.6).
    /// The target precedes the commit of the run's own row.
    fn recovery(&self) -> Vec<Setting> {
        let mut settings = match (self.name, self.lsn) {
            (Some(name), _) => vec![Setting { name: "recovery_target_name", value: name.to_owned() }],
            (None, Some(lsn)) => vec![
                Setting { name: "recovery_target_lsn", value: lsn.to_owned() },
                Setting { name: "recovery_target_inclusive", value: "off".to_owned() },
            ],
            (None, None) => vec![
                // PostgreSQL's manual writes the time zone as an offset.
                Setting {
                    name: "recovery_target_time",
                    value: self.started_at.replace('T', " ").replace('Z', "+00"),
                },
                Setting { name: "recovery_target_inclusive", value: "off".to_owned() },
            ],
        };
        if let Some(timeline) = &self.timeline {
            settings.push(Setting { name: "recovery_target_timeline", value: timeline.clone() });
        }
        settings.push(Setting { name: "recovery_target_action", value: "promote".to_owned() });
        settings
    }

    /// The restore on Neon. Neon keeps the current state as a branch, and requires a name for it.
    fn neon(&self, project: Option<&str>, branch: Option<&str>) -> NeonRestore {
        let (project, branch) = (project.unwrap_or("PROJECT_ID"), branch.unwrap_or("BRANCH_ID"));
        let kept = format!("before-restore-{}", self.run);
        let mut body = serde_json::json!({ "source_branch_id": branch });
        let (key, value) = match self.lsn {
            Some(lsn) => ("source_lsn", lsn),
            None => ("source_timestamp", self.started_at),
        };
        body[key] = value.into();
        body["preserve_under_name"] = kept.as_str().into();
        NeonRestore {
            path: format!("/projects/{project}/branches/{branch}/restore"),
            body,
            command: format!(
                "neon branches restore {branch} '^self@{value}' --preserve-under-name {kept} --project-id {project}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recovery settings on one line.
    fn lines(name: Option<&str>, lsn: Option<&str>, timeline: Option<&str>) -> String {
        let place = Place {
            run: "r",
            started_at: "2026-11-21T10:00:00.5Z",
            lsn,
            name,
            timeline: timeline.map(str::to_owned),
        };
        let settings = place.recovery();
        settings
            .iter()
            .map(|setting| format!("{}={}", setting.name, setting.value))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_most_exact_target_is_the_only_one() {
        assert_eq!(
            lines(Some("tenure_r"), Some("0/1"), Some("3")),
            "recovery_target_name=tenure_r recovery_target_timeline=3 recovery_target_action=promote"
        );
        assert_eq!(
            lines(None, Some("0/1"), Some("1")),
            "recovery_target_lsn=0/1 recovery_target_inclusive=off recovery_target_timeline=1 recovery_target_action=promote"
        );
        assert_eq!(
            lines(None, None, None),
            "recovery_target_time=2026-11-21 10:00:00.5+00 recovery_target_inclusive=off recovery_target_action=promote"
        );
    }

    #[test]
    fn on_neon_the_current_state_is_preserved() {
        let place = Place { run: "r", started_at: "T", lsn: Some("0/1"), name: None, timeline: None };
        let neon = place.neon(Some("p"), Some("br-x"));
        assert_eq!(neon.path, "/projects/p/branches/br-x/restore");
        assert_eq!(
            neon.body.to_string(),
            r#"{"source_branch_id":"br-x","source_lsn":"0/1","preserve_under_name":"before-restore-r"}"#
        );
        let place = Place { lsn: None, ..place };
        assert_eq!(place.neon(None, None).body["source_timestamp"], "T");
    }
}
