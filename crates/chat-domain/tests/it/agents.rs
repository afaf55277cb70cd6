//! Only admins list and change agents and read the statistics.

use chat_domain::ChatError;
use chat_domain::error::Resource;
use chat_domain::model::{AgentUpdate, Statistics};
use chat_testkit::fixtures::{agent_id, alice, bob, carol, root};

use crate::support::Outcome::{self, Done, Forbidden, Invalid};
use crate::support::{App, bad};

#[tokio::test]
async fn only_admins_manage_agents_and_others_are_refused_before_bad_input() {
    let app = App::new();
    for (who, expected) in [(alice(), Forbidden), (bob(), Forbidden), (root(), Done)] {
        let service = &app.service;
        let id = || Ok(agent_id(&carol()));
        let blame = if expected == Done { Invalid } else { Forbidden };
        assert_eq!(Outcome::of(service.put_agent(&who, bad(), Ok(AgentUpdate::default())).await), blame);
        assert_eq!(Outcome::of(service.put_agent(&who, id(), bad()).await), blame);
        assert_eq!(Outcome::of(service.put_agent(&who, id(), Ok(AgentUpdate::default())).await), expected);
        let listed = if who == alice() { Forbidden } else { Done };
        assert_eq!(Outcome::of(service.list_agents(&who).await), listed);
        assert_eq!(Outcome::of(service.deactivate_agent(&who, id().ok(), Ok(())).await), expected);
        assert_eq!(Outcome::of(service.get_stats(&who).await), expected);
    }
}

#[tokio::test]
async fn an_unknown_or_impossible_agent_is_not_deactivated() {
    let app = App::new();
    for id in [Some(agent_id(&carol())), None] {
        let error = app.service.deactivate_agent(&root(), id, Ok(())).await.unwrap_err();
        assert!(matches!(error, ChatError::NotFound(Resource::Agent)), "{error}");
    }
}

#[tokio::test]
async fn a_deactivated_agent_keeps_their_sessions() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let bob_id = agent_id(&bob());
    app.service.deactivate_agent(&root(), Some(bob_id.clone()), Ok(())).await.unwrap();
    assert_eq!(app.service.get_session(&root(), id).await.unwrap().agent(), Some(&bob_id));
}

#[test]
fn the_mean_response_time_is_in_minutes() {
    let figures = Statistics { responses: 2, response_time_ms: 90_000, ..Statistics::default() };
    assert!((figures.average_response_minutes() - 0.75).abs() < f64::EPSILON);
    assert!(Statistics::default().average_response_minutes().abs() < f64::EPSILON, "no answer yet");
}
