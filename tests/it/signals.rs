//! Ctrl-C and SIGTERM where nothing is to be finished first: the command ends, with its one document.

use crate::support::{Project, Session};

#[test]
fn what_waits_for_an_answer_can_be_ended() {
    let project = Project::with_tenants(&["a"]);
    project.migration("1.0.4", "1.0.5", "note", "ALTER TABLE workspaces ADD COLUMN note text;");
    for (verb, signal) in [
        ("status", "TERM"),
        ("drift", "INT"),
        ("tenant list", "INT"),
        ("tenant rename a b", "TERM"),
        ("tenant audit", "INT"),
        ("migrate up --plan", "TERM"),
        ("migrate up", "INT"),
        ("migrate repair", "TERM"),
        ("restore-point", "INT"),
    ] {
        let lock =
            "LOCK TABLE datalinx_platform.tenant_version, datalinx_platform.run IN ACCESS EXCLUSIVE MODE";
        let holder = Session::holding(&project.db, lock);
        let running = project.start(&format!("{verb} --format json"));
        project.db.wait_for_waiting(1);
        running.signal(signal);
        let output = running.end();
        assert_eq!(output.code, 130, "{verb}: {output}");
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["error"]["code"], "interrupted", "{verb}: {output}");
        holder.release();
        project.db.wait_for_silence();
    }
    assert_eq!(project.versions(), "platform 1.0.4, a 1.0.4");
}
