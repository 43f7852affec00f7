//! `tenure tenant list` and `show`; the other verbs on tenants have a file each.

mod create;
mod walls;

pub(super) use self::create::create;
pub(super) use self::walls::{audit, grant, login, resume, suspend};
use super::{Context, database};
use crate::error::Failure;
use crate::ident::Slug;
use crate::{report, tenant};

pub(super) async fn list(context: &Context) -> Result<u8, Failure> {
    let root = context.root()?;
    let mut connection = database::connect_root(context, &root).await?;
    let list = tenant::list(&mut connection, &root.settings).await?;
    connection.close().await;
    context.ui.result(&list, |paint| report::tenant_list(&list, paint))?;
    Ok(0)
}

pub(super) async fn show(context: &Context, slug: &str) -> Result<u8, Failure> {
    let root = context.root()?;
    let slug = Slug::new(slug)?;
    let mut connection = database::connect_root(context, &root).await?;
    let (tenant, history) = tenant::show(&mut connection, &root.settings, &slug).await?;
    connection.close().await;
    let mut document = serde_json::to_value(&tenant).unwrap_or_default();
    if let Some(object) = document.as_object_mut() {
        object.insert("history".to_owned(), serde_json::to_value(&history).unwrap_or_default());
    }
    context.ui.result(&document, |paint| report::tenant(&tenant, &history, paint))?;
    Ok(0)
}
