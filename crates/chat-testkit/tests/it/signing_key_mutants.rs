//! The suite of signing keys notices stores that are broken.

use std::sync::Arc;

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{Epoch, SigningKey};
use chat_domain::ports::SigningKeyStore;
use chat_testkit::contract::signing_key_store::{self, SigningKeyStores};

use crate::support::{make_signing_keys, notices};

/// Has a key that depends on nothing but its place.
struct Fixed(&'static str);

#[async_trait]
impl SigningKeyStore for Fixed {
    async fn signing_key(&self) -> Result<SigningKey> {
        Ok(SigningKey::derive(&[7; 32], self.0, &Epoch::parse("epoch").unwrap()))
    }
}

fn keys(nodes: [&'static str; 2], copy: &'static str) -> SigningKeyStores {
    SigningKeyStores {
        nodes: nodes.map(|place| Arc::new(Fixed(place)) as Arc<dyn SigningKeyStore>).to_vec(),
        copy: Arc::new(Fixed(copy)),
        rotate: Box::new(|| Box::pin(async {})),
        guard: Box::new(()),
    }
}

notices!(a_key_of_each_node_is_noticed: async { keys(["here", "there"], "copy") }, unlike make_signing_keys =>
    signing_key_store::all_nodes_have_the_same_signing_key);
notices!(a_key_that_a_copy_has_too_is_noticed: async { keys(["here"; 2], "here") }, unlike make_signing_keys =>
    signing_key_store::a_copy_of_a_database_has_another_signing_key);
notices!(a_key_that_outlives_its_epoch_is_noticed: async { keys(["here"; 2], "copy") }, unlike make_signing_keys =>
    signing_key_store::a_rotated_epoch_has_another_signing_key);
