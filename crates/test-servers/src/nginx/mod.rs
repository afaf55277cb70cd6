//! Throwaway nginx servers, as a proxy between a test and the server under test.

mod server;

pub use server::{NginxSite, PrivateNginx, find_nginx};
