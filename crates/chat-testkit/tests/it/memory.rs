//! The contract of every port, for the adapters that live in memory.

chat_testkit::store_contract!(crate::support::make_store);

mod attachment_store {
    chat_testkit::attachment_store_contract!(crate::support::make_attachment_store);
}

mod store_ownership {
    chat_testkit::store_ownership_contract!(crate::support::make_attachment_store);
}

mod nodes {
    chat_testkit::nodes_contract!(crate::support::make_nodes);
}

mod ticket_store {
    chat_testkit::ticket_store_contract!(crate::support::make_tickets);
}

mod signing_key_store {
    chat_testkit::signing_key_store_contract!(crate::support::make_signing_keys);
}

mod socket_registry {
    chat_testkit::socket_registry_contract!(crate::support::make_registry);
}

mod thumbnail_store {
    chat_testkit::thumbnail_store_contract!(crate::support::make_thumbnail_store);
}
