//! The contract of every port, for the adapters that live in memory.

chat_testkit::store_contract!(crate::support::make_store);

mod attachment_store {
    chat_testkit::attachment_store_contract!(crate::support::make_attachment_store);
}

mod nodes {
    chat_testkit::nodes_contract!(crate::support::make_nodes);
}
