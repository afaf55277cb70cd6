//! What a session is about, as JSON: in the data of events, and in `chat_sessions.opened_with`.

use chat_domain::model::{ChatSession, OpeningDetails, Priority, Seq, SessionDetails, Subject, Tags};
use serde::{Deserialize, Serialize};

use crate::Corrupt;
use crate::values::valid;

const OPENED_WITH: &str = "chat_sessions.opened_with";

#[derive(Serialize, Deserialize)]
pub(crate) struct DetailsData {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    priority: String,
    tags: Vec<String>,
}

/// What a session was opened with, and the position of the first change of that.
#[derive(Serialize, Deserialize)]
struct OpeningData {
    #[serde(flatten)]
    details: DetailsData,
    until: u64,
}

impl From<&SessionDetails> for DetailsData {
    fn from(details: &SessionDetails) -> Self {
        Self {
            subject: details.subject.as_ref().map(|subject| subject.as_str().to_owned()),
            priority: details.priority.as_str().to_owned(),
            tags: details.tags.as_slice().to_vec(),
        }
    }
}

impl DetailsData {
    /// The details, from the column that has them.
    pub(crate) fn read(&self, column: &'static str) -> Result<SessionDetails, Corrupt> {
        let subject = self.subject.as_ref().map(|subject| valid(column, Subject::parse(subject))).transpose()?;
        Ok(SessionDetails {
            subject: subject.flatten(),
            priority: Priority::from_store(&self.priority),
            tags: valid(column, Tags::parse(&self.tags))?,
        })
    }
}

/// The column `chat_sessions.opened_with` of a session.
pub fn opened_with_to_json(session: &ChatSession) -> Option<String> {
    let opening = session.opened_with.as_ref()?;
    let data = OpeningData { details: (&opening.details).into(), until: opening.until.get() };
    // Texts and a number: that cannot fail.
    serde_json::to_string(&data).ok()
}

pub(crate) fn opened_with_from_json(json: Option<&str>) -> Result<Option<Box<OpeningDetails>>, Corrupt> {
    let Some(json) = json else { return Ok(None) };
    let data: OpeningData = serde_json::from_str(json)
        .map_err(|_| Corrupt { column: OPENED_WITH, problem: "is not the JSON of details" })?;
    let details = data.details.read(OPENED_WITH)?;
    Ok(Some(Box::new(OpeningDetails { details, until: Seq::new(data.until) })))
}
