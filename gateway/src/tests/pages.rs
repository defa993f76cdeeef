//! The pages as a browser gets them.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

use chassis::error::PROBLEM_JSON;

use super::{Answer, Doors};

/// Every page, and a word on it.
const PAGES: [(&str, &str); 6] = [
    ("/", "Checkout"),
    ("/console", "id=\"console\""),
    (
        "/console/orders/0190c6a4-7c1e-7b3a-9d2e-5f3a1c2b4d6e",
        "<h1",
    ),
    ("/console/dead-letters", "<h1"),
    ("/docs", "Place an order"),
    ("/docs/grpc", "ordermesh.orders.v1.OrderService/PlaceOrder"),
];

/// The values of an attribute in HTML that we wrote: always in double quotes.
fn values(html: &str, attribute: &str) -> BTreeSet<String> {
    let begin = format!(" {attribute}=\"");
    let parts = html.split(&begin).skip(1);
    parts
        .filter_map(|part| part.split_once('"'))
        .map(|(value, _)| value.to_owned())
        .collect()
}

/// The files of ours that a page, or a file of it, names.
fn named(html: &str) -> BTreeSet<String> {
    [values(html, "src"), values(html, "href")]
        .into_iter()
        .flatten()
        .filter(|path| path.starts_with("/assets/"))
        .map(|path| path.split('#').next().unwrap_or_default().to_owned())
        .collect()
}

/// What a script of ours imports, at once or later, as names beside it.
fn imported(script: &str) -> BTreeSet<String> {
    let parts = |begin| script.split(begin).skip(1);
    parts(" from \"./")
        .chain(parts(" import(\"./"))
        .filter_map(|part| part.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A page and every file that it needs, those that its scripts import included:
/// paths and answers.
async fn whole(doors: &Doors, path: &str) -> Vec<(String, Answer)> {
    let mut open = vec![path.to_owned()];
    let mut seen = BTreeSet::new();
    let mut answers = Vec::new();
    while let Some(file) = open.pop() {
        if !seen.insert(file.clone()) {
            continue;
        }
        let answer = doors.get(&file).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        if file == path {
            open.extend(named(&text));
        } else if answer.header(header::CONTENT_TYPE).contains("javascript") {
            let folder = file.rsplit_once('/').unwrap().0;
            let scripts = imported(&text).into_iter();
            open.extend(scripts.map(|name| format!("{folder}/{name}")));
        }
        answers.push((file, answer));
    }
    answers
}

#[tokio::test]
async fn every_page_is_whole_and_allows_nothing_foreign() {
    let doors = Doors::open();
    for (path, word) in PAGES {
        let files = whole(&doors, path).await;
        assert!(files.len() > 2, "{path}: {files:?}");
        for (file, answer) in &files {
            assert_eq!(answer.status, StatusCode::OK, "{path} needs {file}");
        }
        let (_, page) = &files[0];
        assert_eq!(
            page.header(header::CONTENT_TYPE),
            "text/html; charset=utf-8"
        );
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(html.contains(word), "{path}: {html}");
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!html.contains(inline), "{path}: {inline}");
        }
        for (file, answer) in &files[1..] {
            let cache = answer.header(header::CACHE_CONTROL);
            assert!(cache.contains("immutable"), "{file}");
        }
    }
}

#[tokio::test]
async fn the_reference_is_found_with_a_slash_too() {
    let moved = Doors::open().get("/docs/").await;
    assert_eq!(
        (moved.status, moved.header(header::LOCATION)),
        (StatusCode::PERMANENT_REDIRECT, "/docs")
    );
}

#[tokio::test]
async fn every_page_is_small() {
    let doors = Doors::open();
    for (path, _) in PAGES {
        let mut bytes = 0;
        for (file, _) in whole(&doors, path).await {
            let request = Request::get(&file).header(header::ACCEPT_ENCODING, "gzip");
            let answer = doors.send(request.body(Body::empty()).unwrap()).await;
            bytes += answer.body.len();
        }
        assert!(bytes < 150_000, "{path}: {bytes} bytes compressed");
    }
}

#[tokio::test]
async fn what_a_caller_wrote_into_an_address_is_told_as_json_or_not_at_all() {
    let doors = Doors::open();
    let markup = "%3Cimg%20src=x%20onerror=alert(1)%3E";
    for path in [
        format!("/{markup}"),
        format!("/docs/{markup}"),
        format!("/assets/x/{markup}"),
        format!("/orders/{markup}"),
        format!("/orders/{markup}/events"),
        format!("/orders/{markup}/records"),
        format!("/orders/{markup}/notifications/{markup}/html"),
        format!("/users/{markup}/orders?{markup}={markup}"),
        format!("/orders?pageToken={markup}&{markup}=1"),
        format!("/analytics/rate?width={markup}&startTime={markup}&{markup}=1"),
        format!("/analytics/top-products?currencyCode={markup}&{markup}=1"),
        format!("/ops/dead-letters?service={markup}&class={markup}&{markup}=1"),
        format!("/ops/live?{markup}"),
    ] {
        let answer = doors.get(&path).await;
        assert!(answer.status.is_client_error(), "{path}: {answer:?}");
        let expected = [
            (header::CONTENT_TYPE, PROBLEM_JSON),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        answer.expect_headers(&path, expected);
    }
    // Pages show nothing of their address: the scripts do, as text.
    for path in [
        format!("/?order={markup}"),
        format!("/console?user={markup}"),
        format!("/console/orders/{markup}"),
        format!("/console/dead-letters?service={markup}"),
        format!("/docs?{markup}"),
    ] {
        let answer = doors.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let html = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!html.contains("onerror"), "{path}: {html}");
    }
}

#[tokio::test]
async fn what_is_no_file_of_ours_is_no_file() {
    let doors = Doors::open();
    for path in [
        "/assets/x/nothing.js",
        "/assets/x/..%2f..%2fcatalogue.json",
        "/assets/",
    ] {
        let answer = doors.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}
