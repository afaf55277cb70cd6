//! What every `SigningKeyStore` does.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chat_domain::ports::SigningKeyStore;

use super::contract_cases;

contract_cases! { $ signing_key_store_contract for signing_key_store on crate::contract::signing_key_store::SigningKeyStores:
    all_nodes_have_the_same_signing_key,
    a_copy_of_a_database_has_another_signing_key,
    a_rotated_epoch_has_another_signing_key,
}

/// Rotates the epoch of a database.
pub type Rotation = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The nodes of a database, and one on a copy of it.
pub struct SigningKeyStores {
    /// At least one, also such that were started later.
    pub nodes: Vec<Arc<dyn SigningKeyStore>>,
    /// A node on a copy of the database.
    pub copy: Arc<dyn SigningKeyStore>,
    /// Rotates the epoch of the database.
    pub rotate: Rotation,
    /// Whatever must live as long as the nodes. Dropped after them.
    pub guard: Box<dyn Any + Send + Sync>,
}

async fn all_nodes_have_the_same_signing_key(stores: &SigningKeyStores) {
    let key = stores.nodes[0].signing_key().await.unwrap();
    for node in &stores.nodes {
        assert_eq!(node.signing_key().await.unwrap(), key);
    }
}

async fn a_copy_of_a_database_has_another_signing_key(stores: &SigningKeyStores) {
    assert_ne!(stores.copy.signing_key().await.unwrap(), stores.nodes[0].signing_key().await.unwrap());
}

async fn a_rotated_epoch_has_another_signing_key(stores: &SigningKeyStores) {
    let before = stores.nodes[0].signing_key().await.unwrap();
    (stores.rotate)().await;
    for node in &stores.nodes {
        assert_ne!(node.signing_key().await.unwrap(), before);
    }
    all_nodes_have_the_same_signing_key(stores).await;
}
