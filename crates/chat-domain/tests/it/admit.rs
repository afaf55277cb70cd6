//! Who is let in.

use chat_domain::ChatError;
use chat_domain::error::Refusal;
use chat_domain::model::{Agent, DisplayName, PersonName, Principal};
use chat_domain::ports::AgentDirectory;
use chat_domain::service::Rules;
use chat_testkit::fixtures::{agent_id, alice, bob, root};

use crate::support::App;

#[tokio::test]
async fn an_unknown_agent_enters_the_directory_with_their_first_request() {
    let app = App::new();
    let named = Principal { name: PersonName::parse("Bob").ok(), ..bob() };
    app.service.admit(&named).await.unwrap();
    let agent = app.store.find(&agent_id(&bob())).await.unwrap().expect("Bob is there");
    assert_eq!((agent.display_name, agent.active), (Some(DisplayName::parse("Bob").unwrap()), true));
}

#[tokio::test]
async fn an_agent_whose_token_has_no_name_enters_without_one() {
    let app = App::new();
    app.service.admit(&bob()).await.unwrap();
    assert!(app.store.find(&agent_id(&bob())).await.unwrap().is_some_and(|agent| agent.display_name.is_none()));
}

#[tokio::test]
async fn an_agent_is_entered_once() {
    let app = App::new();
    app.service.admit(&bob()).await.unwrap();
    let first: Vec<Agent> = app.store.list().await.unwrap();
    app.service.admit(&Principal { name: PersonName::parse("Another").ok(), ..bob() }).await.unwrap();
    assert_eq!(app.store.list().await.unwrap(), first);
}

#[tokio::test]
async fn agents_are_entered_by_hand_when_the_operator_says_so() {
    let app = App::with_rules(Rules { agent_autoregister: false, ..Rules::default() });
    app.service.admit(&bob()).await.unwrap();
    assert_eq!(app.store.list().await.unwrap(), []);
}

#[tokio::test]
async fn a_deactivated_agent_is_turned_away_whether_agents_register_or_not() {
    for agent_autoregister in [true, false] {
        let app = App::with_rules(Rules { agent_autoregister, ..Rules::default() });
        app.store.register(agent_id(&bob()), None, chat_testkit::fixtures::start()).await.unwrap();
        app.service.deactivate_agent(&root(), Some(agent_id(&bob())), Ok(())).await.unwrap();
        let error = app.service.admit(&bob()).await.unwrap_err();
        assert!(matches!(error, ChatError::Forbidden(Refusal::AgentDeactivated)), "{error}");
    }
}

#[tokio::test]
async fn customers_and_admins_are_no_agents() {
    let app = App::new();
    for who in [alice(), root()] {
        app.service.admit(&who).await.unwrap();
    }
    assert_eq!(app.store.list().await.unwrap(), []);
}
