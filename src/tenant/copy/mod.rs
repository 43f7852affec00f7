//! Creates tenants from existing schemas: clone, export and import, restore, adopt. Each compares the result with its source or with the
//! files before it commits. A tenant from a template alone is in `create`.

mod adopt;
mod adopt_all;
mod archive;
mod clone;
mod export;
mod fingerprint;
mod import;
mod not_copied;
mod publications;
mod result;
pub mod text;

pub use adopt::{Adoption, Differs, IfDifferent, adopt};
pub use adopt_all::{AdoptAll, adopt_all};
pub use clone::{Cloning, Extent, clone};
pub use export::{Target, export};
pub use import::in_place::restore;
pub use import::{ExportFile, import, import_on_throwaway_database};
pub use result::{Adopted, AdoptedAll, Cloned, Exported, Imported, NotAdopted, Restored};
