use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A server that gives each connection the next answer and closes it; gives back
/// what it was asked.
async fn server(answers: Vec<String>) -> (Source, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            requests.push(String::from_utf8(request).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        requests
    });
    let source = Source {
        address,
        token: Some(Token("s3cret-token".to_owned())),
    };
    (source, asked)
}

fn problem(status: &str, detail: &str) -> String {
    let body = format!(r#"{{"title":"x","detail":"{detail}"}}"#);
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn what_breaks_is_opened_again() {
    let first = format!("{STREAM}event: orders\ndata: 1\n\n:\n\nevent: orders\ndata: ");
    let second = format!("{STREAM}event: problem\ndata: {{\"detail\":\"it is stopping\"}}\n\n");
    let third = format!("{STREAM}event: orders\ndata: 2\n\n");
    let (source, asked) = server(vec![first, second, third]).await;
    let (sender, mut news) = mpsc::channel(8);
    let following = tokio::spawn(follow(source, sender));
    let (mut events, mut losses, mut opened) = (Vec::new(), Vec::new(), 0);
    while events.len() < 2 {
        match news.recv().await.unwrap() {
            News::Live => opened += 1,
            News::Lost { why, .. } => losses.push(why.to_string()),
            News::Event(event) => events.push(event.data),
        }
    }
    assert_eq!((events, opened), (vec!["1".to_owned(), "2".to_owned()], 3));
    assert_eq!(losses, ["the gateway ended the stream", "it is stopping"]);
    let requests = asked.await.unwrap();
    assert!(requests[0].starts_with("GET /ops/live HTTP/1.1\r\n"));
    assert!(requests[0].contains("authorization: Bearer s3cret-token\r\n"));
    drop(news);
    following.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_may_not_look_is_told_so_at_once() {
    for (answer, says) in [
        (
            problem("401 Unauthorized", "this is not the operator's token"),
            "ORDERMESH_OPERATOR_TOKEN",
        ),
        (problem("404 Not Found", "no such path"), "--address"),
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "no gateway of Ordermesh",
        ),
    ] {
        let (source, _asked) = server(vec![answer]).await;
        let (sender, _news) = mpsc::channel(8);
        let error = follow(source, sender).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_gateway_that_is_away_or_busy_is_tried_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = Source {
        address: gone.local_addr().unwrap().to_string(),
        token: None,
    };
    drop(gone);
    let busy = problem("429 Too Many Requests", "too many watch already \\u001b[2J");
    let (busy, _asked) = server(vec![busy]).await;
    for (source, says) in [
        (away, "nothing answers"),
        (busy, "too many watch already �[2J"),
    ] {
        let (sender, mut news) = mpsc::channel(8);
        let following = tokio::spawn(follow(source, sender));
        match news.recv().await.unwrap() {
            News::Lost { why, again_in } => {
                assert!(why.as_str().contains(says), "{why}");
                assert_eq!(again_in, SOONEST);
            }
            other => panic!("{other:?}"),
        }
        following.abort();
    }
}

#[test]
fn the_token_is_never_printed() {
    assert_eq!(format!("{:?}", Token("s3cret".to_owned())), "[redacted]");
}
