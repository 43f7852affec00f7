//! The roles of tenants: their names, rights, passwords and sessions; grant and login.

mod grant;
mod login;
mod result;
pub(in crate::tenant) mod role;
pub(in crate::tenant) mod sessions;
pub mod text;

pub use grant::grant;
pub use login::{Login, login, withdraw};
pub use result::{Granted, GrantedTenant, LoggedIn, LoginChange, Password, Sessions};
pub use role::NewRole;
