//! The commands of `tenure tenant`.

mod copy;
mod create;
mod drop;
mod pool;
mod rename;
mod roles;
mod show;

pub(super) use self::copy::{adopt, clone, export, import};
pub(super) use self::create::create;
pub(super) use self::drop::{drop, undrop};
pub(super) use self::pool::pool;
pub(super) use self::rename::rename;
pub(super) use self::roles::{audit, grant, login, resume, suspend};
pub(super) use self::show::{list, show};
