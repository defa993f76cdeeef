//! The mail sink against a real mail client and against raw lines.

use std::time::{Duration, Instant};

use lettre::message::Mailbox;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use testkit::smtp::{Behaviour, Sink, Stage};
use testkit::wait::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

const SOON: Duration = Duration::from_secs(5);

fn transport(sink: &Sink) -> Transport {
    Transport::builder_dangerous("127.0.0.1")
        .port(sink.address().port())
        .timeout(Some(SOON))
        .build()
}

fn mail(number: usize) -> Message {
    let mailbox = |name: &str, user, domain| {
        let address = Address::new(user, domain).expect("a valid address");
        Mailbox::new(Some(name.to_owned()), address)
    };
    Message::builder()
        .from(mailbox("Shop", "shop", "ordermesh.example"))
        .to(mailbox("Ann", "ann", "example.com"))
        .message_id(Some(format!("<order.{number}@ordermesh.example>")))
        .subject("Bestellung bestätigt")
        .body(format!("Nr. {number} für 9,99 €\n.\n..two dots\n"))
        .expect("a complete message")
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_sent() {
    let sink = Sink::start().await.unwrap();
    transport(&sink).send(mail(1)).await.unwrap();
    let mails = sink.by_message_id("<order.1@ordermesh.example>");
    let [mail] = &mails[..] else {
        panic!("{mails:?}")
    };
    assert_eq!(mail.from, "shop@ordermesh.example");
    assert_eq!(mail.to, ["ann@example.com"]);
    assert_eq!(mail.header_to, ["ann@example.com"]);
    assert_eq!(mail.subject.as_deref(), Some("Bestellung bestätigt"));
    let text = mail.text.as_deref().unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), "Nr. 1 für 9,99 €\n.\n..two dots");
}

#[tokio::test]
async fn many_mails_go_over_few_connections() {
    let sink = Sink::start().await.unwrap();
    let transport = transport(&sink);
    for number in 0..200 {
        transport.send(mail(number % 100)).await.unwrap();
    }
    assert_eq!(sink.wait_for(200, SOON).await.unwrap().len(), 200);
    let ids = sink.message_ids();
    assert_eq!(ids.len(), 100);
    assert!(ids.values().all(|&times| times == 2));
    sink.clear();
    assert_eq!(sink.count(), 0);
}

#[tokio::test]
async fn refusals_are_temporary_and_rejections_permanent() {
    let sink = Sink::start().await.unwrap();
    for stage in [Stage::Greeting, Stage::Recipient, Stage::Message] {
        sink.set(Behaviour::refuse(stage));
        let refused = transport(&sink).send(mail(1)).await.unwrap_err();
        assert!(refused.is_transient(), "{stage:?}: {refused}");

        sink.set(Behaviour::reject(stage));
        let rejected = transport(&sink).send(mail(1)).await.unwrap_err();
        assert!(rejected.is_permanent(), "{stage:?}: {rejected}");
    }
    assert_eq!(sink.count(), 0);
    assert_eq!(sink.struck(), 6);

    sink.set(Behaviour::Accept);
    transport(&sink).send(mail(1)).await.unwrap();
    assert_eq!(sink.count(), 1);
}

#[tokio::test]
async fn a_counted_fault_wears_off() {
    let sink = Sink::start().await.unwrap();
    let transport = transport(&sink);
    sink.set_for(2, Behaviour::refuse(Stage::Message));
    assert!(transport.send(mail(1)).await.is_err());
    assert!(transport.send(mail(1)).await.is_err());
    transport.send(mail(1)).await.unwrap();
    assert_eq!((sink.struck(), sink.count()), (2, 1));
}

#[tokio::test]
async fn a_cut_after_data_may_have_taken_the_mail() {
    let sink = Sink::start().await.unwrap();
    for recorded in [false, true] {
        sink.set(Behaviour::Cut { recorded });
        let error = transport(&sink).send(mail(1)).await.unwrap_err();
        assert!(!error.is_permanent(), "{error}");
        assert_eq!(sink.count(), usize::from(recorded));
    }
}

#[tokio::test]
async fn a_hanging_server_answers_nothing_and_keeps_nothing() {
    let sink = Sink::start().await.unwrap();
    for at in [Stage::Greeting, Stage::Recipient, Stage::Message] {
        sink.set(Behaviour::Hang { at });
        let transport = transport(&sink);
        // lettre's own limit ends with the TCP connection's making.
        let silence = timeout(Duration::from_millis(200), transport.send(mail(1))).await;
        assert!(silence.is_err(), "{at:?}");
    }
    assert_eq!((sink.struck(), sink.count()), (3, 0));
}

#[tokio::test]
async fn a_delayed_answer_comes_in_the_end() {
    let sink = Sink::start().await.unwrap();
    let delay = Duration::from_millis(100);
    sink.set(Behaviour::Delay(delay));
    let sent = Instant::now();
    transport(&sink).send(mail(1)).await.unwrap();
    assert!(sent.elapsed() >= delay);
    assert_eq!(sink.count(), 1);
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let sink = Sink::start().await.unwrap();
    let mut stream = TcpStream::connect(sink.address()).await.unwrap();
    let commands = "EHLO me\r\nRCPT TO:<too@early>\r\nMAIL FROM:<a@b> SIZE=5\r\nRSET\r\n\
                    MAIL FROM:<>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nNOOP\r\nVRFY x\r\nDATA\r\n";
    stream.write_all(commands.as_bytes()).await.unwrap();
    let message = "Subject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n";
    stream.write_all(message.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();

    let codes: Vec<_> = answers
        .lines()
        .filter(|line| line.as_bytes().get(3) == Some(&b' '))
        .map(|line| &line[..3])
        .collect();
    assert_eq!(
        codes,
        [
            "220", "250", "503", "250", "250", "250", "250", "250", "250", "500", "354", "250",
            "221"
        ],
        "{answers}"
    );
    let mails = sink.messages();
    assert_eq!((mails[0].from.as_str(), mails[0].to.len()), ("", 2));
    assert_eq!(mails[0].raw, b"Subject: hi\r\n\r\n.\r\n");
}

#[tokio::test]
async fn waiting_in_vain_says_how_many_came() {
    let sink = Sink::start().await.unwrap();
    transport(&sink).send(mail(1)).await.unwrap();
    let error = sink
        .wait_for(2, Duration::from_millis(20))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "waited 20ms for 2 mails; 1 came");
}

#[tokio::test]
async fn dropping_the_sink_frees_its_port() {
    let sink = Sink::start().await.unwrap();
    let address = sink.address();
    drop(sink);
    until("the port to refuse connections", SOON, || async {
        TcpStream::connect(address).await.is_err()
    })
    .await
    .unwrap();
}
