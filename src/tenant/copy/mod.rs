//! A tenant's schema from another one: clone, export and import, adopt.

mod adopt;
mod archive;
mod clone;
mod export;
mod fingerprint;
mod import;
mod result;
pub mod text;

pub use adopt::{Adoption, Differs, IfDifferent, adopt};
pub use clone::{Cloning, Extent, clone};
pub use export::{Target, export};
pub use import::import;
pub use result::{Adopted, Cloned, Exported, Imported};
