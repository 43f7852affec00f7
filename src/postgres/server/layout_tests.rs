//! The choice of a server's folders, on simulated file systems.

use std::collections::BTreeMap;

use super::*;

const ROOT: Account = Account { uid: 101, gid: 104, own_uid: 0 };
const USER: Account = Account { uid: 1000, gid: 1000, own_uid: 1000 };

/// `disk` lists folders with owner and mode.
fn is_suitable(account: &Account, disk: &[(&str, u32, u32)], project: &str) -> bool {
    let disk: BTreeMap<PathBuf, FolderStat> = disk
        .iter()
        .map(|&(path, uid, mode)| (PathBuf::from(path), FolderStat { uid, gid: uid, mode, is_folder: true }))
        .collect();
    let project = Path::new(project);
    Layout { home: project.join(".tenure") }.suits_project(project, account, &|path| disk.get(path).copied())
}

#[test]
fn a_reachable_project_contains_its_server() {
    let disk = [("/", 0, 0o755), ("/src", 0, 0o755), ("/src/app", 0, 0o755)];
    assert!(is_suitable(&ROOT, &disk, "/src/app"));
}

#[test]
fn the_account_cannot_enter_the_home_of_root() {
    let disk = [("/", 0, 0o755), ("/root", 0, 0o700), ("/root/app", 0, 0o755)];
    assert!(!is_suitable(&ROOT, &disk, "/root/app"));
}

#[test]
fn an_ordinary_user_reaches_its_own_project() {
    let disk = [("/home/ann", 1000, 0o700), ("/home/ann/app", 1000, 0o700)];
    assert!(is_suitable(&USER, &disk, "/home/ann/app"));
}

#[test]
fn a_project_of_another_user_is_not_used() {
    let disk = [("/", 0, 0o755), ("/src", 0, 0o755), ("/src/app", 0, 0o755)];
    assert!(!is_suitable(&USER, &disk, "/src/app"));
    // Root created the server here before; its data belong to another account.
    let disk = [("/a", 1000, 0o755), ("/a/.tenure", 1000, 0o755), ("/a/.tenure/server", 101, 0o700)];
    assert!(!is_suitable(&USER, &disk, "/a"));
    assert!(is_suitable(&USER, &disk[..2], "/a"));
}

#[test]
fn a_server_that_came_with_the_project_is_not_used() {
    let with = |mode| [("/a", 1000, 0o755), ("/a/.tenure", 1000, 0o755), ("/a/.tenure/server", 1000, mode)];
    assert!(!is_suitable(&USER, &with(0o700), "/a"));
    assert!(is_suitable(&USER, &with(0o1700), "/a"));
}

#[test]
fn the_path_of_a_socket_has_a_limit() {
    let long = format!("/{}", "x".repeat(80));
    assert!(is_suitable(&USER, &[("/short", 1000, 0o755)], "/short"));
    assert!(!is_suitable(&USER, &[(&long, 1000, 0o755)], &long));
    assert!(socket_fits(Path::new("/home/josé/my project")));
    assert!(!socket_fits(Path::new("/home/a,b")));
    let exact = format!("/{}", "x".repeat(SOCKET_BYTES - "/.s.PGSQL.5432".len() - 1));
    assert!(socket_fits(Path::new(&exact)));
    assert!(!socket_fits(Path::new(&format!("{exact}x"))));
}

#[test]
fn folders_are_created_once_and_private() {
    let project = tempfile::tempdir().unwrap();
    let account = Account::find().unwrap();
    let layout = Layout { home: project.path().join(".tenure") };
    layout.create(&account).unwrap();
    layout.create(&account).unwrap();
    let server = FolderStat::of(&layout.server()).unwrap();
    assert_eq!((server.uid, server.mode & 0o7777), (account.uid, 0o1700));
    assert_eq!(std::fs::metadata(project.path().join(".tenure/.gitignore")).unwrap().len(), 2);
}

#[test]
fn a_folder_of_another_user_is_refused() {
    let shared = tempfile::tempdir().unwrap();
    let account = Account::find().unwrap();
    let home = shared.path().join("tenure-0-x");
    std::os::unix::fs::symlink("/", &home).unwrap();
    let layout = Layout { home: home.clone() };
    assert!(layout.create(&account).unwrap_err().message.contains("another user"));
    std::fs::remove_file(&home).unwrap();
    create_folder(&home, 0o777, None).unwrap();
    assert!(layout.create(&account).unwrap_err().message.contains("others may write"));
}
