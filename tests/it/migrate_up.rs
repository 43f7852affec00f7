//! `migrate up`: the main job.

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn the_seeds_project_goes_from_nothing_to_the_newest_version() {
    let project = Project::seeds();
    assert_snapshot!(project.run("migrate up"), @r"
    exit code: 0
    ----- stdout -----
    done: the platform went from 0.0.0 to 1.0.4; 0 tenants; 4 units in N ms

    ----- stderr -----
    ");
    assert_eq!(project.db.value("SELECT version FROM datalinx_platform.schema_version"), "1.0.4");
    assert_snapshot!(project.run("migrate up"), @r"
    exit code: 0
    ----- stdout -----
    nothing to do: the platform is at 1.0.4; 0 tenants; 0 units in N ms

    ----- stderr -----
    ");
}
