//! Names of roles in tokens that the operator's map of roles does not have. Each is logged once, so that an operator who
//! forgot one finds out why its holders are users; a realm has many that mean nothing here, which is no fault.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many names are remembered, and therefore logged.
const MAX_NAMES: usize = 100;
/// How much of a name is.
const MAX_CHARS: usize = 100;

/// The names that were logged.
#[derive(Default)]
pub(super) struct UnmappedRoles {
    logged: Mutex<HashSet<String>>,
}

impl UnmappedRoles {
    /// Logs the name unless it was logged before, or so many others were.
    pub(super) fn found(&self, name: &str) {
        let Some((name, is_last)) = self.note(name) else { return };
        // As a literal: control characters of a foreign name do not reach a terminal.
        tracing::info!(
            role.name = ?name,
            "a token has the role {name:?}, which is not in --jwt-role-map (CHAT_JWT_ROLE_MAP) and means nothing here"
        );
        if is_last {
            tracing::info!("no more than {MAX_NAMES} roles that are not in the map are logged");
        }
    }

    /// What is to be logged of the name, and whether that is the last.
    fn note(&self, name: &str) -> Option<(String, bool)> {
        let name: String = name.chars().take(MAX_CHARS).collect();
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = logged.len() < MAX_NAMES && logged.insert(name.clone());
        is_new.then(|| (name, logged.len() == MAX_NAMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_logged_once() {
        let roles = UnmappedRoles::default();
        assert_eq!(roles.note("offline_access"), Some(("offline_access".to_owned(), false)));
        assert_eq!(roles.note("uma_authorization"), Some(("uma_authorization".to_owned(), false)));
        assert_eq!(roles.note("offline_access"), None);
    }

    #[test]
    fn names_are_remembered_in_bounded_memory() {
        let roles = UnmappedRoles::default();
        let logged: Vec<_> = (0..10_000).filter_map(|n| roles.note(&format!("{n}{}", "x".repeat(10_000)))).collect();
        assert_eq!(logged.len(), MAX_NAMES);
        assert!(logged.iter().all(|(name, _)| name.chars().count() == MAX_CHARS));
        assert_eq!(logged.iter().position(|(_, is_last)| *is_last), Some(MAX_NAMES - 1));
    }
}
