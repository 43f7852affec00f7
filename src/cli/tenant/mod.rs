//! The verbs on tenants, which have a file each or share one with their like.

mod copies;
mod create;
mod drop;
mod look;
mod pool;
mod rename;
mod walls;

pub(super) use self::copies::{adopt, clone, export, import};
pub(super) use self::create::create;
pub(super) use self::drop::{drop, undrop};
pub(super) use self::look::{list, show};
pub(super) use self::pool::pool;
pub(super) use self::rename::rename;
pub(super) use self::walls::{audit, grant, login, resume, suspend};
