//! The service on the wire: what stands at its address.

use serde::Serialize;
use utoipa::ToSchema;

/// What this is, and where its documents are.
#[derive(Serialize, ToSchema)]
#[schema(as = Service)]
pub(crate) struct ServiceDto {
    /// What it is.
    #[schema(example = "Support chat")]
    pub(crate) name: &'static str,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    pub(crate) version: &'static str,
    /// The documentation, for people.
    #[schema(example = "http://127.0.0.1:8080/docs/")]
    pub(crate) docs: String,
    /// The description of the API, for tools.
    #[schema(example = "http://127.0.0.1:8080/openapi.json")]
    pub(crate) openapi: String,
    /// The description of the socket, for tools.
    #[schema(example = "http://127.0.0.1:8080/asyncapi.json")]
    pub(crate) asyncapi: String,
}
