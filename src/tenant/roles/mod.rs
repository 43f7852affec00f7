//! The roles of tenants: names, privileges, passwords and sessions; grant and login. A role belongs to one tenant of one
//! database; SQL functions check that before they change it. Privileges between tenants are audited in `isolation`.

mod grant;
mod login;
mod result;
pub(in crate::tenant) mod role;
pub(in crate::tenant) mod sessions;
pub mod text;

pub use grant::grant;
pub use login::{Login, login, withdraw};
pub use result::{Granted, GrantedTenant, LoggedIn, LoginChange, Password, Sessions};
pub(crate) use role::Secret;
pub use role::{NewRole, give_existing_role, role_names};
