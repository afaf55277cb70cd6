//! Who collects a store's files, as text: lines of a name and a value.

use chat_domain::model::{DatabaseInstance, Generation, StoreOwner};

/// The text that stands beside the files.
pub(crate) fn render(owner: &StoreOwner) -> String {
    let contested = if owner.is_contested { "yes" } else { "no" };
    format!("database {}\ngeneration {}\ncontested {contested}\n", owner.database, owner.generation)
}

/// Reads what `render` writes; `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<StoreOwner> {
    let mut lines = text.lines();
    let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    let database = DatabaseInstance::parse(value("database")?).ok()?;
    let generation = Generation::parse(value("generation")?)?;
    let is_contested = match value("contested")? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    Some(StoreOwner { database, generation, is_contested })
}
