//! Bytes that no message refers to are marked once they are old enough, and removed days later.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::model::{
    AttachmentId, DatabaseInstance, Generation, Generations, NotOwner, OrphanMark, StoreOwner, Timestamp,
};
use chat_domain::ports::{AttachmentStore, Marking, OrphanRegistry, OrphanRound, StoreOwnership as _, Upload};
use chat_domain::service::{Collected, OrphanCollector, OrphanWaits, Removal, Round, SendMessage};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::form;
use chat_testkit::source::{from_bytes, read_to_end};
use uuid::Uuid;

use crate::support::App;

const DAY: Duration = Duration::from_hours(24);
const WAITS: OrphanWaits = OrphanWaits { mark_after: DAY, remove_after: DAY.saturating_mul(7) };

pub(crate) fn collector(app: &App) -> OrphanCollector {
    OrphanCollector {
        attachments: app.attachments.clone(),
        ownership: app.attachments.clone(),
        messages: app.store.clone(),
        registry: app.store.clone(),
        uploads: app.store.clone(),
        clock: app.clock.clone(),
        ids: app.ports.ids.clone(),
        waits: WAITS,
    }
}

async fn orphan(app: &App, n: u64) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 100 };
    app.attachments.put(upload, from_bytes("left behind")).await.unwrap();
}

async fn collect(collector: &OrphanCollector, removal: Removal) -> Collected {
    match collector.collect(removal).await.unwrap() {
        Round::Done(collected) => collected,
        other => panic!("{other:?}"),
    }
}

async fn refusal(collector: &OrphanCollector) -> NotOwner {
    match collector.collect(Removal::OfAll).await.unwrap() {
        Round::NotOwner(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_old_file_without_a_message_is_marked_and_days_later_removed() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let kept = app.send_files(id, "", &[(0, "kept")]).await.message.attachments[0].id;
    orphan(&app, 1).await;
    // The sender of a form goes away before its end.
    let steps = [form::file(0, "never sent"), form::meanwhile(std::future::pending())];
    let (alice, form) = (alice(), SendMessage::Form(form::form(steps)));
    let mut abandoned = Box::pin(app.service.send_message(&alice, id, form, None));
    let has_ended = poll_fn(|context| Poll::Ready(abandoned.as_mut().poll(context).is_ready())).await;
    assert!(!has_ended);
    drop(abandoned);
    app.clock.advance(DAY);
    orphan(&app, 2).await;

    let collector = collector(&app);
    let first = collect(&collector, Removal::OfFew).await;
    assert_eq!(first, Collected { examined: 3, marked: 2, removed: 0, refused: None });
    assert_eq!(app.attachments.ids().len(), 4, "marked files stay where they are");
    app.clock.advance(DAY * 6);
    let second = collect(&collector, Removal::OfFew).await;
    assert_eq!(second, Collected { examined: 4, marked: 1, removed: 0, refused: None });
    app.clock.advance(DAY);
    let third = collect(&collector, Removal::OfFew).await;
    assert_eq!(third, Collected { examined: 4, marked: 0, removed: 2, refused: None });
    let mut left = [kept, attachment_id(2)];
    left.sort();
    assert_eq!(app.attachments.ids(), left, "the referenced one, and the one that was marked later");
    let bytes = app.attachments.open(kept, None).await.unwrap().expect("it is there");
    assert_eq!(read_to_end(bytes).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_round_that_would_remove_more_than_a_twentieth_and_a_hundred_refuses_until_it_is_allowed() {
    for (orphans, referenced, refused) in
        [(100, 0, None), (101, 0, Some(101)), (101, 1_919, None), (101, 1_918, Some(101))]
    {
        let app = App::new();
        let id = app.held_by_bob(1).await;
        for n in 0..referenced {
            app.send_files(id, &format!("{n}"), &[(0, "kept")]).await;
        }
        for n in 0..orphans {
            orphan(&app, 10_000 + n).await;
        }
        let orphans = usize::try_from(orphans).unwrap();
        let examined = orphans + usize::try_from(referenced).unwrap();
        app.clock.advance(DAY);
        let collector = collector(&app);
        assert_eq!(collect(&collector, Removal::OfFew).await.marked, orphans);
        app.clock.advance(DAY * 7);
        let done = collect(&collector, Removal::OfFew).await;
        let removed = if refused.is_some() { 0 } else { orphans };
        assert_eq!(done, Collected { examined, marked: 0, removed, refused });
        let all = collect(&collector, Removal::OfAll).await;
        assert_eq!(all.removed + removed, orphans);
        assert_eq!(app.attachments.ids().len(), examined - orphans);
    }
}

#[tokio::test]
async fn a_round_that_may_remove_nothing_removes_nothing() {
    let app = App::new();
    orphan(&app, 1).await;
    app.clock.advance(DAY);
    let collector = collector(&app);
    collect(&collector, Removal::Never).await;
    app.clock.advance(DAY * 7);
    assert_eq!(collect(&collector, Removal::Never).await.removed, 0);
    assert_eq!(collect(&collector, Removal::OfFew).await.removed, 1);
}

/// What the collector did to a file during a request: the sender of the second file is so slow that the first one is
/// marked, condemned and removed meanwhile.
#[tokio::test]
async fn an_upload_that_outlasts_the_collector_is_refused_and_can_be_repeated() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let collector = collector(&app);
    let compose = async |waits: Option<Duration>| {
        let (clock, collector) = (app.clock.clone(), collector.clone());
        let wait = form::meanwhile(async move {
            if let Some(patience) = waits {
                clock.advance(DAY);
                assert_eq!(collect(&collector, Removal::OfFew).await.marked, 1);
                clock.advance(patience);
                collect(&collector, Removal::OfFew).await;
            }
        });
        let steps = [form::file(0, "first"), wait, form::file(1, "second"), form::content("both")];
        app.service.send_message(&alice(), id, SendMessage::Form(form::form(steps)), None).await
    };
    // Marked, and taken back.
    let sent = compose(Some(DAY)).await.unwrap().message;
    assert_eq!(app.store.marked(sent.attachments.iter().map(|file| file.id).collect()).await.unwrap(), []);
    // Removed: then there is no message either.
    let late = compose(Some(DAY * 7)).await;
    assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
    let again = compose(None).await.unwrap().message;
    app.clock.advance(DAY * 30);
    collect(&collector, Removal::OfAll).await;
    for file in sent.attachments.iter().chain(&again.attachments) {
        assert!(app.attachments.open(file.id, None).await.unwrap().is_some(), "{}", file.name);
    }
}

#[tokio::test]
async fn bytes_that_a_crash_left_of_a_condemned_file_are_removed_by_the_next_round() {
    let app = App::new();
    let collector = collector(&app);
    orphan(&app, 1).await;
    app.clock.advance(DAY);
    collect(&collector, Removal::OfFew).await;
    let mut round = app.store.begin_round().await.unwrap().unwrap();
    let now = chat_testkit::fixtures::start();
    assert_eq!(round.condemn(vec![attachment_id(1)], now).await.unwrap(), [attachment_id(1)]);
    drop(round);
    assert_eq!(app.attachments.ids(), [attachment_id(1)]);
    collect(&collector, Removal::OfFew).await;
    assert_eq!(app.attachments.ids(), []);
}

#[tokio::test]
async fn a_copy_of_the_database_stops_itself_and_removes_nothing() {
    let (production, copy) = (App::new(), App::new());
    orphan(&production, 1).await;
    production.clock.advance(DAY);
    copy.clock.advance(DAY * 30);
    let original = collector(&production);
    collect(&original, Removal::OfFew).await;
    // A server on another database, with production's files.
    let copied = OrphanCollector {
        attachments: production.attachments.clone(),
        ownership: production.attachments.clone(),
        ..collector(&copy)
    };
    for _ in 0..3 {
        let reason = refusal(&copied).await;
        assert!(matches!(reason, NotOwner::OtherDatabase { .. }), "{reason:?}");
    }
    assert_eq!(production.attachments.ids(), [attachment_id(1)]);
    production.clock.advance(DAY * 7);
    assert_eq!(collect(&original, Removal::OfFew).await.removed, 1, "the original goes on");
}

/// As a copy of the data directory of a PostgreSQL server: nothing but the generation tells it from the original.
#[derive(Clone)]
struct Twin {
    name: DatabaseInstance,
    generations: Arc<std::sync::Mutex<Generations>>,
    /// Marked files, which messages that are on their way keep from being condemned.
    marks: Vec<OrphanMark>,
    /// A step after which a round stands still while this node does one.
    freeze: Option<(Step, OrphanCollector)>,
    /// The round has lost its connection.
    is_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Generations,
    Announce,
}

impl Twin {
    fn of(generations: Generations) -> Arc<Self> {
        let name = DatabaseInstance::parse("twin").unwrap();
        let generations = Arc::new(std::sync::Mutex::new(generations));
        Arc::new(Self { name, generations, marks: Vec::new(), freeze: None, is_lost: false })
    }

    /// Stands still after this step if it is to, and is without a connection from then on.
    async fn after(&mut self, step: Step) {
        if let Some((_, other)) = self.freeze.take_if(|(frozen, _)| *frozen == step) {
            collect(&other, Removal::Never).await;
            self.is_lost = true;
        }
    }

    fn in_round(&self) -> Result<()> {
        if self.is_lost { Err(ChatError::unavailable("the connection is lost")) } else { Ok(()) }
    }

    fn generations(&self) -> Generations {
        *self.generations.lock().unwrap()
    }
}

#[async_trait]
impl OrphanRegistry for Twin {
    async fn begin_round(&self) -> Result<Option<Box<dyn OrphanRound>>> {
        Ok(Some(Box::new(self.clone())))
    }

    async fn marked(&self, _: Vec<AttachmentId>) -> Result<Vec<OrphanMark>> {
        Ok(Vec::new())
    }

    async fn referenced(&self, _: Option<AttachmentId>, _: usize) -> Result<Vec<AttachmentId>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl OrphanRound for Twin {
    async fn database(&mut self) -> Result<DatabaseInstance> {
        Ok(self.name.clone())
    }

    async fn generations(&mut self) -> Result<Generations> {
        self.in_round()?;
        let generations = Self::generations(self);
        self.after(Step::Generations).await;
        Ok(generations)
    }

    async fn announce(&mut self, next: Generation) -> Result<()> {
        self.in_round()?;
        self.generations.lock().unwrap().next = Some(next);
        self.after(Step::Announce).await;
        Ok(())
    }

    async fn confirm(&mut self, current: Generation) -> Result<()> {
        self.in_round()?;
        *self.generations.lock().unwrap() = Generations { current: Some(current), next: None };
        Ok(())
    }

    async fn mark(&mut self, _: Vec<AttachmentId>, _: Timestamp) -> Result<Marking> {
        Ok(Marking::default())
    }

    async fn due(&mut self, _: Timestamp, after: Option<OrphanMark>, limit: usize) -> Result<Vec<OrphanMark>> {
        let later = self.marks.iter().filter(|mark| after.is_none_or(|after| **mark > after));
        Ok(later.copied().take(limit).collect())
    }

    async fn condemn(&mut self, _: Vec<AttachmentId>, _: Timestamp) -> Result<Vec<AttachmentId>> {
        Ok(Vec::new())
    }

    async fn condemned(&mut self, _: Timestamp, _: usize) -> Result<Vec<AttachmentId>> {
        Ok(Vec::new())
    }

    async fn forget(&mut self, _: Vec<AttachmentId>) -> Result<()> {
        Ok(())
    }

    async fn unmark_all(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn of_a_database_and_a_copy_that_looks_the_same_none_goes_on_until_one_is_chosen() {
    let app = App::new();
    let on = |registry: Arc<Twin>| OrphanCollector { registry, ..collector(&app) };
    let original = Twin::of(Generations::default());
    collect(&on(original.clone()), Removal::OfAll).await;
    let copy = Twin::of(original.generations());
    // Whichever comes first takes the generation, which tells the other one.
    collect(&on(copy.clone()), Removal::OfAll).await;
    let reason = refusal(&on(original.clone())).await;
    assert!(matches!(reason, NotOwner::OtherGeneration { .. }), "{reason:?}");
    assert_eq!(refusal(&on(copy.clone())).await, NotOwner::Contested);
    assert_eq!(refusal(&on(original.clone())).await, NotOwner::Contested);
    assert!(on(original.clone()).adopt().await.unwrap());
    collect(&on(original), Removal::OfAll).await;
    let reason = refusal(&on(copy)).await;
    assert!(matches!(reason, NotOwner::OtherGeneration { .. }), "{reason:?}");
}

/// Its connection was given up meanwhile, and another node of the same database has done a round.
#[tokio::test]
async fn a_round_that_stood_still_does_not_contest_its_own_database() {
    for step in [Step::Generations, Step::Announce] {
        let app = App::new();
        let on = |registry: Arc<Twin>| OrphanCollector { registry, ..collector(&app) };
        let database = Twin::of(Generations::default());
        let other = on(database.clone());
        collect(&other, Removal::OfAll).await;
        let frozen = on(Arc::new(Twin { freeze: Some((step, other.clone())), ..Twin::clone(&database) }));
        let outcome = frozen.collect(Removal::OfAll).await;
        assert!(matches!(outcome, Err(ChatError::Unavailable { .. })), "{outcome:?}");
        assert!(!app.attachments.owner().await.unwrap().unwrap().is_contested);
        collect(&other, Removal::OfAll).await;
    }
}

#[tokio::test]
async fn files_that_cannot_be_condemned_at_the_moment_are_left_to_the_next_round() {
    let app = App::new();
    let mark = |n| OrphanMark { marked_at: chat_testkit::fixtures::start(), id: attachment_id(n) };
    let mut marks: Vec<OrphanMark> = (0..1_001).map(mark).collect();
    marks.sort_unstable();
    let busy = Arc::new(Twin { marks, ..Twin::clone(&Twin::of(Generations::default())) });
    let collector = OrphanCollector { registry: busy, ..collector(&app) };
    assert_eq!(collect(&collector, Removal::OfAll).await, Collected::default());
}

/// A process may end between any two steps. Whatever it leaves, the next one goes on, and a copy made before does not.
#[tokio::test]
async fn a_generation_survives_a_crash_between_its_steps() {
    for steps in 0..=2 {
        for rounds in 0..2 {
            let app = App::new();
            let on = |registry: Arc<Twin>| OrphanCollector { registry, ..collector(&app) };
            let database = Twin::of(Generations::default());
            for _ in 0..rounds {
                collect(&on(database.clone()), Removal::OfAll).await;
            }
            let before = Twin::of(database.generations());
            // The steps of a round, and then the crash.
            let next = Generation::new(Uuid::from_u128(99));
            let owner = StoreOwner { database: database.name.clone(), generation: next, is_contested: false };
            if steps > 0 {
                database.generations.lock().unwrap().next = Some(next);
            }
            if steps > 1 {
                let beside = app.attachments.owner().await.unwrap();
                assert!(app.attachments.replace(beside, owner).await.unwrap());
            }
            for _ in 0..2 {
                collect(&on(database.clone()), Removal::OfAll).await;
            }
            let reason = refusal(&on(before)).await;
            assert!(matches!(reason, NotOwner::OtherGeneration { .. }), "{steps} steps after {rounds}: {reason:?}");
        }
    }
}

#[tokio::test]
async fn files_that_were_never_collected_are_not_those_of_a_database_that_has_collected() {
    let (app, other) = (App::new(), App::new());
    let collecting = collector(&app);
    collect(&collecting, Removal::OfAll).await;
    let elsewhere = OrphanCollector {
        attachments: other.attachments.clone(),
        ownership: other.attachments.clone(),
        ..collecting.clone()
    };
    assert_eq!(refusal(&elsewhere).await, NotOwner::OtherFiles);
    assert!(elsewhere.adopt().await.unwrap());
    collect(&elsewhere, Removal::OfAll).await;
    assert!(matches!(refusal(&collecting).await, NotOwner::OtherGeneration { .. }));
}

#[tokio::test]
async fn after_an_adoption_the_whole_wait_begins_from_the_start() {
    let app = App::new();
    orphan(&app, 1).await;
    app.clock.advance(DAY);
    let collector = collector(&app);
    collect(&collector, Removal::OfFew).await;
    app.clock.advance(DAY * 7);
    assert!(collector.adopt().await.unwrap());
    let first = collect(&collector, Removal::OfFew).await;
    assert_eq!((first.marked, first.removed), (1, 0));
}

#[tokio::test]
async fn while_another_node_is_in_a_round_nothing_is_done() {
    let app = App::new();
    let collector = collector(&app);
    let other = app.store.begin_round().await.unwrap();
    assert!(other.is_some());
    assert_eq!(collector.collect(Removal::OfAll).await.unwrap(), Round::Busy);
    assert_eq!(collector.claim().await.unwrap(), Round::Busy);
    assert!(!collector.adopt().await.unwrap());
    assert_eq!(app.attachments.owner().await.unwrap(), None);
    drop(other);
    assert_eq!(collector.claim().await.unwrap(), Round::Done(Collected::default()));
    assert!(app.attachments.owner().await.unwrap().is_some());
}

#[tokio::test]
async fn a_round_goes_through_any_number_of_objects() {
    let app = App::new();
    for n in 0..1_001 {
        orphan(&app, n).await;
    }
    app.clock.advance(DAY);
    let collector = collector(&app);
    assert_eq!(collect(&collector, Removal::OfAll).await.marked, 1_001);
    app.clock.advance(DAY * 7);
    assert_eq!(collect(&collector, Removal::OfFew).await.refused, Some(500), "counted until it is too much");
    assert_eq!(collect(&collector, Removal::OfAll).await.removed, 1_001);
    assert_eq!(app.attachments.ids(), []);
    app.clock.advance(DAY * 31);
    assert_eq!(collect(&collector, Removal::OfAll).await, Collected::default());
    let mut round = app.store.begin_round().await.unwrap().unwrap();
    let far = Timestamp::from_unix_ms(i64::MAX);
    assert_eq!(round.condemned(far, 10).await.unwrap(), [], "what was removed long ago is forgotten");
}
