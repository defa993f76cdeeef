//! The outbox against a real SMTP server that can be told to misbehave.

mod common;

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context as _;
use chassis::{
    config::Setting as _,
    db::DbError,
    health::{Affects, Health},
    kafka::{Outgoing, PublishError},
};
use common::{open, order, placed, settled};
use notifier::{
    fact::Fact,
    mail::{Status, StoredMail},
    mailer::{Smtp, SmtpOptions, SmtpServer},
    outbox::{Outbox, OutboxOptions, Publish, Schedule},
    store::{Attempt, Filter, Lease, Merged, OrderMails, Position, Store},
};
use proto::{
    id::{NotificationId, OrderId},
    time::UnixMicros,
};
use testkit::{
    harness::Suite,
    smtp::{Behaviour, Sink, Stage},
    wait::until,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a send may take.
const TIMEOUT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    Suite::new()
        .on_both_databases("mails arrive once and their events are published", arrive)
        .on_both_databases("markup in a mail's every part arrives as text", markup)
        .on_both_databases(
            "what is put off or cut comes again under its id",
            comes_again,
        )
        .on_both_databases("what is refused for good fails and is told", refused)
        .on_both_databases("a server that is away costs readiness and no mail", away)
        .on_both_databases(
            "an event that kafka did not take is published later",
            kafka_away,
        )
        .on_both_databases("a late answer is nobody else's", late)
        .on_both_databases("a server that turns us away fails no mail", turned_away)
        .on_both_databases("a connection that the server closed costs nothing", hung_up)
        .on_both_databases("no send is begun that could outlast its lease", outlasts)
        .on_both_databases("a slow mail keeps no other from being recorded", slow)
        .on_both_databases(
            "what was sent is recorded when the database is back",
            recorded,
        )
        .run()
}

/// Counts published events instead of a broker, and can be away.
#[derive(Default)]
struct Events {
    published: Mutex<usize>,
    away: Mutex<bool>,
}

fn held<T: Clone>(value: &Mutex<T>) -> T {
    value.lock().map_or_else(
        |poisoned| poisoned.into_inner().clone(),
        |value| value.clone(),
    )
}

fn set<T>(place: &Mutex<T>, value: T) {
    if let Ok(mut place) = place.lock() {
        *place = value;
    }
}

#[async_trait::async_trait]
impl Publish for Events {
    async fn publish(&self, _: Outgoing) -> Result<(), PublishError> {
        if held(&self.away) {
            return Err(PublishError::Unavailable("away".to_owned()));
        }
        set(&self.published, held(&self.published) + 1);
        Ok(())
    }
}

struct Fixture {
    store: Arc<dyn Store>,
    sink: Sink,
    events: Arc<Events>,
    health: Health,
    outbox: Outbox,
}

impl Fixture {
    async fn new(url: &str) -> anyhow::Result<Self> {
        Self::on(open(url).await?, Duration::from_secs(30)).await
    }

    async fn on(store: Arc<dyn Store>, lease: Duration) -> anyhow::Result<Self> {
        Self::with(store, lease, TIMEOUT).await
    }

    async fn with(
        store: Arc<dyn Store>,
        lease: Duration,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let sink = Sink::start().await?;
        let smtp = Smtp::new(SmtpOptions {
            server: SmtpServer::parse(&sink.url()).context("the sink's address")?,
            from: "Shop <orders@shop.example>".parse()?,
            timeout,
            connections: 4,
        })?;
        let events = Arc::new(Events::default());
        let health = Health::default();
        let options = OutboxOptions {
            sends_at_once: 4,
            send_timeout: timeout,
            lease,
            schedule: Schedule {
                first: Duration::from_millis(5),
                longest: Duration::from_millis(20),
                give_up: Duration::from_secs(3600),
            },
        };
        let outbox = Outbox::new(
            store.clone(),
            Arc::new(smtp),
            events.clone(),
            options,
            Arc::new(Notify::new()),
            CancellationToken::new(),
            health.condition("smtp", Affects::Work),
        );
        Ok(Self {
            store,
            sink,
            events,
            health,
            outbox,
        })
    }

    /// Writes the mails of one order.
    async fn write(&self, lines: usize) -> anyhow::Result<()> {
        let order = order(1, lines)?;
        self.store
            .merge(vec![placed(&order), settled(&order, 0)], UnixMicros::now())
            .await?;
        Ok(())
    }

    async fn mails(&self) -> anyhow::Result<Vec<StoredMail>> {
        Ok(self
            .store
            .list(Filter::default(), Position::START, 1_000)
            .await?)
    }

    /// Rounds until every mail stands so.
    async fn until_all(&self, status: Status) -> anyhow::Result<Vec<StoredMail>> {
        until("every mail to end", Duration::from_secs(20), async || {
            self.outbox.round().await?;
            let mails = self.mails().await?;
            let open = mails.iter().filter(|mail| mail.status != status).count();
            anyhow::ensure!(open == 0, "{open} mails to go");
            anyhow::Ok(mails)
        })
        .await
    }
}

async fn arrive(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    fixture.write(30).await?;
    let mails = fixture.until_all(Status::Sent).await?;
    assert_eq!(mails.len(), 30);
    assert_eq!(fixture.sink.count(), 30);
    let ids: BTreeMap<String, usize> = fixture.sink.message_ids();
    assert_eq!(ids.len(), 30, "each under an id of its own");
    let arrived = &fixture.sink.messages()[0];
    assert_eq!(arrived.to, ["jane@example.com"]);
    assert_eq!(
        arrived.subject.as_deref(),
        Some("Your order of Keyboard is confirmed")
    );
    assert!(
        arrived
            .text
            .as_deref()
            .is_some_and(|text| text.contains("9.99 USD"))
    );
    assert!(
        arrived
            .html
            .as_deref()
            .is_some_and(|html| html.contains("<h1"))
    );
    assert_eq!(
        arrived.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    while fixture.outbox.round().await? > 0 {}
    assert_eq!(held(&fixture.events.published), 30);
    assert_eq!(fixture.sink.count(), 30, "none is sent again");
    Ok(())
}

async fn markup(url: String) -> anyhow::Result<()> {
    const MARKUP: &str = "<img src=x onerror=alert(1)>";
    const ADDRESS: &str = r#""<b>x</b>"@example.com"#;
    let fixture = Fixture::new(&url).await?;
    let mut order = order(1, 1)?;
    order.lines[0].name = MARKUP.into();
    order.email = ADDRESS.parse()?;
    let facts = vec![placed(&order), settled(&order, 0)];
    fixture.store.merge(facts, UnixMicros::now()).await?;
    fixture.until_all(Status::Sent).await?;
    let arrived = &fixture.sink.messages()[0];
    assert_eq!(arrived.to, [ADDRESS]);
    assert_eq!(arrived.header("To").as_deref(), Some(ADDRESS));
    assert_eq!(arrived.header("Bcc"), None);
    let subject = format!("Your order of {MARKUP} is confirmed");
    assert_eq!(arrived.subject.as_deref(), Some(subject.as_str()));
    let (text, html) = (arrived.text.as_deref(), arrived.html.as_deref());
    assert!(text.is_some_and(|text| text.contains(MARKUP)), "{text:?}");
    assert!(html.is_some_and(|html| !html.contains("<img") && html.contains("&lt;img")));
    Ok(())
}

async fn comes_again(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    for behaviour in [
        Behaviour::refuse(Stage::Recipient),
        Behaviour::refuse(Stage::Message),
        Behaviour::Hang { at: Stage::Message },
        Behaviour::Cut { recorded: false },
    ] {
        fixture.sink.set_for(2, behaviour);
        fixture.write(3).await?;
        fixture.until_all(Status::Sent).await?;
    }
    assert_eq!(fixture.sink.count(), 12);
    let tries: i32 = fixture
        .mails()
        .await?
        .iter()
        .map(|mail| mail.attempts)
        .sum();
    assert!(tries > 12, "some needed another try: {tries}");

    // The gap: taken by the server, which never says so.
    fixture.sink.set_for(1, Behaviour::Cut { recorded: true });
    fixture.write(1).await?;
    fixture.until_all(Status::Sent).await?;
    let ids = fixture.sink.message_ids();
    assert_eq!(ids.len(), 13, "the same Message-ID again, never a new one");
    assert_eq!(ids.values().filter(|times| **times == 2).count(), 1);
    Ok(())
}

async fn refused(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    fixture.sink.set(Behaviour::reject(Stage::Recipient));
    fixture.write(2).await?;
    let mails = fixture.until_all(Status::Failed).await?;
    for mail in &mails {
        assert_eq!(mail.attempts, 1, "not tried again");
        assert!(mail.last_error.contains("550"), "{}", mail.last_error);
        assert!(
            !mail.last_error.contains('@'),
            "no address: {}",
            mail.last_error
        );
    }
    assert_eq!(held(&fixture.events.published), 2, "that it failed is told");
    assert!(fixture.health.is_ready(), "the server answered");
    Ok(())
}

async fn away(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    fixture.sink.set(Behaviour::Hang {
        at: Stage::Greeting,
    });
    fixture.write(5).await?;
    fixture.outbox.round().await?;
    assert!(!fixture.health.is_ready());
    let mails = fixture.mails().await?;
    assert!(
        mails.iter().all(|mail| mail.status == Status::Pending),
        "nothing is given up"
    );
    fixture.sink.set(Behaviour::Accept);
    fixture.until_all(Status::Sent).await?;
    assert!(fixture.health.is_ready());
    assert_eq!(fixture.sink.count(), 5);
    Ok(())
}

async fn kafka_away(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    set(&fixture.events.away, true);
    fixture.write(3).await?;
    assert!(fixture.outbox.round().await.is_err());
    assert_eq!(fixture.sink.count(), 3);
    set(&fixture.events.away, false);
    until(
        "the events to be published",
        Duration::from_secs(10),
        async || {
            fixture.outbox.round().await?;
            let published = held(&fixture.events.published);
            anyhow::ensure!(published == 3, "{published} published");
            anyhow::Ok(())
        },
    )
    .await?;
    assert_eq!(fixture.sink.count(), 3, "no mail is sent again for that");
    Ok(())
}

async fn late(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    let slow = Behaviour::Delay(TIMEOUT + TIMEOUT / 2);
    fixture.sink.set_for(1, slow);
    fixture.write(1).await?;
    fixture.outbox.round().await?;
    let mails = fixture.mails().await?;
    assert_eq!(mails[0].status, Status::Pending);
    assert_eq!(mails[0].attempts, 1, "it may be the mail's fault");
    fixture.sink.set(Behaviour::reject(Stage::Message));
    fixture.write(1).await?;
    // By now the first one's 250 is on its way.
    fixture.sink.wait_for(1, TIMEOUT * 4).await?;
    let mails = fixture.until_all(Status::Failed).await?;
    assert_eq!(mails.len(), 2);
    assert_eq!(fixture.sink.count(), 1);
    Ok(())
}

async fn turned_away(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    fixture.sink.set(Behaviour::reject(Stage::Greeting));
    fixture.write(3).await?;
    for _ in 0..3 {
        fixture.outbox.round().await?;
        assert!(!fixture.health.is_ready());
    }
    for mail in fixture.mails().await? {
        assert_eq!((mail.status, mail.attempts), (Status::Pending, 0));
    }
    fixture.sink.set(Behaviour::Accept);
    fixture.until_all(Status::Sent).await?;
    assert_eq!(fixture.sink.count(), 3);
    fixture.outbox.round().await?;
    assert!(fixture.health.is_ready());
    Ok(())
}

async fn hung_up(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::new(&url).await?;
    for _ in 0..2 {
        fixture.write(4).await?;
        fixture.until_all(Status::Sent).await?;
        fixture.sink.hang_up();
    }
    let mails = fixture.mails().await?;
    assert!(mails.iter().all(|mail| mail.attempts == 1), "{mails:?}");
    assert_eq!(fixture.sink.count(), 8);
    Ok(())
}

async fn outlasts(url: String) -> anyhow::Result<()> {
    let fixture = Fixture::on(open(&url).await?, TIMEOUT).await?;
    fixture.write(3).await?;
    assert_eq!(fixture.outbox.round().await?, 3, "taken");
    assert_eq!(fixture.sink.count(), 0, "and put back");
    for mail in fixture.mails().await? {
        assert_eq!((mail.status, mail.attempts), (Status::Pending, 0));
    }
    Ok(())
}

async fn slow(url: String) -> anyhow::Result<()> {
    let timeout = Duration::from_secs(10);
    let fixture = Fixture::with(open(&url).await?, timeout * 3, timeout).await?;
    fixture
        .sink
        .set_for(1, Behaviour::Hang { at: Stage::Message });
    fixture.write(4).await?;
    let others = until("three of four", timeout / 2, async || {
        let mails = fixture.mails().await?;
        let sent = mails.iter().filter(|mail| mail.status == Status::Sent);
        let sent = sent.count();
        anyhow::ensure!(sent == 3, "{sent} recorded");
        anyhow::Ok(())
    });
    tokio::select! {
        result = fixture.outbox.round() => anyhow::bail!("the round ended first: {result:?}"),
        others = others => others,
    }
}

async fn recorded(url: String) -> anyhow::Result<()> {
    let store = Arc::new(Forgetful {
        inner: open(&url).await?,
        times: Mutex::new(2),
    });
    let fixture = Fixture::on(store.clone(), Duration::from_secs(30)).await?;
    fixture.write(3).await?;
    fixture.outbox.round().await?;
    assert_eq!(held(&store.times), 0);
    let mails = fixture.mails().await?;
    assert!(mails.iter().all(|mail| mail.status == Status::Sent));
    assert_eq!(fixture.sink.count(), 3, "each once");
    assert_eq!(held(&fixture.events.published), 3);
    Ok(())
}

/// A store whose database is away for the next records.
struct Forgetful {
    inner: Arc<dyn Store>,
    times: Mutex<usize>,
}

#[async_trait::async_trait]
impl Store for Forgetful {
    async fn merge(&self, facts: Vec<Fact>, now: UnixMicros) -> Result<Merged, DbError> {
        self.inner.merge(facts, now).await
    }

    async fn lease(&self, lease: Lease) -> Result<Vec<StoredMail>, DbError> {
        self.inner.lease(lease).await
    }

    async fn record(
        &self,
        token: Uuid,
        attempts: Vec<Attempt>,
        now: UnixMicros,
    ) -> Result<Vec<NotificationId>, DbError> {
        let times = held(&self.times);
        if times > 0 {
            set(&self.times, times - 1);
            return Err(DbError::Unavailable("away".to_owned()));
        }
        self.inner.record(token, attempts, now).await
    }

    async fn release(
        &self,
        token: Uuid,
        ids: Vec<NotificationId>,
        due_at: UnixMicros,
    ) -> Result<(), DbError> {
        self.inner.release(token, ids, due_at).await
    }

    async fn mark_published(&self, ids: Vec<NotificationId>) -> Result<(), DbError> {
        self.inner.mark_published(ids).await
    }

    async fn mail(&self, id: NotificationId) -> Result<Option<StoredMail>, DbError> {
        self.inner.mail(id).await
    }

    async fn of_orders(&self, ids: &[OrderId]) -> Result<Vec<OrderMails>, DbError> {
        self.inner.of_orders(ids).await
    }

    async fn list(
        &self,
        filter: Filter,
        after: Position,
        limit: i64,
    ) -> Result<Vec<StoredMail>, DbError> {
        self.inner.list(filter, after, limit).await
    }
}
