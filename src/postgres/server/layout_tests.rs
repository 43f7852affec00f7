//! Where a server may live, on made-up disks.

use std::collections::BTreeMap;

use super::*;

const ROOT: Account = Account { uid: 101, gid: 104, own: 0 };
const USER: Account = Account { uid: 1000, gid: 1000, own: 1000 };

/// A disk: each folder with its owner and mode.
fn suits(account: &Account, disk: &[(&str, u32, u32)], project: &str) -> bool {
    let disk: BTreeMap<PathBuf, Facts> = disk
        .iter()
        .map(|&(path, uid, mode)| (PathBuf::from(path), Facts { uid, gid: uid, mode, folder: true }))
        .collect();
    let project = Path::new(project);
    Layout { home: project.join(".tenure") }.suits_project(project, account, &|path| disk.get(path).copied())
}

#[test]
fn a_project_that_everybody_can_reach_keeps_its_server() {
    let disk = [("/", 0, 0o755), ("/src", 0, 0o755), ("/src/app", 0, 0o755)];
    assert!(suits(&ROOT, &disk, "/src/app"));
}

#[test]
fn below_root_s_home_the_account_cannot_walk() {
    let disk = [("/", 0, 0o755), ("/root", 0, 0o700), ("/root/app", 0, 0o755)];
    assert!(!suits(&ROOT, &disk, "/root/app"));
}

#[test]
fn an_ordinary_user_walks_where_they_stand() {
    let disk = [("/home/ann", 1000, 0o700), ("/home/ann/app", 1000, 0o700)];
    assert!(suits(&USER, &disk, "/home/ann/app"));
}

#[test]
fn a_project_of_somebody_else_is_left_alone() {
    let disk = [("/", 0, 0o755), ("/src", 0, 0o755), ("/src/app", 0, 0o755)];
    assert!(!suits(&USER, &disk, "/src/app"));
    // Root made the server here before; its data belong to another account.
    let disk = [("/a", 1000, 0o755), ("/a/.tenure", 1000, 0o755), ("/a/.tenure/server", 101, 0o700)];
    assert!(!suits(&USER, &disk, "/a"));
    assert!(suits(&USER, &disk[..2], "/a"));
}

#[test]
fn a_socket_has_little_room() {
    let long = format!("/{}", "x".repeat(80));
    assert!(suits(&USER, &[("/short", 1000, 0o755)], "/short"));
    assert!(!suits(&USER, &[(&long, 1000, 0o755)], &long));
    assert!(socket_fits(Path::new("/home/josé/my project")));
    assert!(!socket_fits(Path::new("/home/a,b")));
    let exact = format!("/{}", "x".repeat(SOCKET_BYTES - "/.s.PGSQL.5432".len() - 1));
    assert!(socket_fits(Path::new(&exact)));
    assert!(!socket_fits(Path::new(&format!("{exact}x"))));
}

#[test]
fn folders_are_made_once_and_kept_private() {
    let project = tempfile::tempdir().unwrap();
    let account = Account::find().unwrap();
    let layout = Layout { home: project.path().join(".tenure") };
    layout.make(&account).unwrap();
    layout.make(&account).unwrap();
    let server = Facts::of(&layout.server()).unwrap();
    assert_eq!((server.uid, server.mode & 0o777), (account.uid, 0o700));
    assert_eq!(std::fs::metadata(project.path().join(".tenure/.gitignore")).unwrap().len(), 2);
}

#[test]
fn a_folder_laid_as_a_trap_is_refused() {
    let shared = tempfile::tempdir().unwrap();
    let account = Account::find().unwrap();
    let home = shared.path().join("tenure-0-x");
    std::os::unix::fs::symlink("/", &home).unwrap();
    let layout = Layout { home: home.clone() };
    assert!(layout.make(&account).unwrap_err().message.contains("somebody else"));
    std::fs::remove_file(&home).unwrap();
    make_folder(&home, 0o777, None).unwrap();
    assert!(layout.make(&account).unwrap_err().message.contains("others may write"));
}
