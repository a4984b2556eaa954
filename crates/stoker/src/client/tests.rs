//! Calls that exceed the rate, and lists of several pages, against a server with scripted answers.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// The heads of the requests that came.
type Heads = Arc<Mutex<Vec<String>>>;

/// A server that gives these answers in turn, and the last one again and again.
async fn server(answers: Vec<(u16, Value)>) -> (Client, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let heads = Heads::default();
    let seen = Arc::clone(&heads);
    stoker_testkit::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let length = field(&head, "content-length").map_or(0, |text| text.parse().unwrap());
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            seen.lock().unwrap().push(head);
            let (status, content) = &answers[turn.min(answers.len() - 1)];
            let content = content.to_string();
            let answer = format!(
                "HTTP/1.1 {status} Scripted\r\nRetry-After: 0\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{content}",
                content.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let keys = Keys { secret_id: "AKID".into(), secret_key: "SK".into() };
    (Client::new(&endpoint, keys, &[]).unwrap(), heads)
}

fn field(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into())
        .next()
}

fn problem(word: &str) -> (u16, Value) {
    let kind = format!("urn:stoker:problem:{word}");
    (429, json!({ "type": kind, "title": "t", "status": 429, "detail": "d" }))
}

#[tokio::test]
async fn a_call_that_is_one_of_too_many_is_repeated_with_another_nonce() {
    let done = (200, json!({ "takes_writes": true }));
    let (client, heads) = server(vec![problem("too-often"), problem("too-often"), done]).await;
    let answer: Value = client.post("/admin/v1/x?y=1", &json!({ "a": 1 })).await.unwrap();
    assert_eq!(answer["takes_writes"], true);
    let heads = heads.lock().unwrap();
    let mut nonces: Vec<_> =
        heads.iter().map(|head| field(head, "stoker-nonce").unwrap()).collect();
    assert!(heads.iter().all(|head| head.starts_with("POST /admin/v1/x?y=1 HTTP/1.1\r\n")));
    nonces.sort();
    nonces.dedup();
    assert_eq!((heads.len(), nonces.len()), (3, 3));
}

#[tokio::test]
async fn no_call_is_repeated_for_ever_nor_for_another_reason() {
    let (client, heads) = server(vec![problem("too-often")]).await;
    assert!(client.get::<Value>("/admin/v1/x").await.is_err());
    assert_eq!(heads.lock().unwrap().len(), MOST_REPEATS as usize + 1);
    for (status, answer) in [problem("over-quota"), (503, json!({})), (500, json!("x"))] {
        let (client, heads) = server(vec![(status, answer)]).await;
        assert!(client.get::<Value>("/admin/v1/x").await.is_err());
        assert_eq!(heads.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page_as_far_as_it_is_wanted() {
    let pages = || {
        let page = |rows: Value, next: Value| (200, json!({ "rows": rows, "next": next }));
        vec![
            page(json!([1, 2]), "b@ *".into()),
            page(json!([3]), "c".into()),
            page(json!([4]), Value::Null),
        ]
    };
    let split = |mut page: Value| {
        let next = page["next"].as_str().map(String::from);
        let rows: Vec<u64> = serde_json::from_value(page["rows"].take()).unwrap();
        (rows, next)
    };
    let (client, heads) = server(pages()).await;
    assert_eq!(client.list("/l?account=7", usize::MAX, split).await.unwrap(), [1, 2, 3, 4]);
    let asked = |head: &String| head.split(' ').nth(1).unwrap().to_owned();
    let asked: Vec<_> = heads.lock().unwrap().iter().map(asked).collect();
    assert_eq!(
        asked,
        [
            "/l?account=7&limit=1000",
            "/l?account=7&limit=1000&after=b%40%20%2A",
            "/l?account=7&limit=1000&after=c",
        ]
    );
    let (client, heads) = server(pages()).await;
    assert_eq!(client.list("/l", 3, split).await.unwrap(), [1, 2, 3]);
    assert!(heads.lock().unwrap()[1].starts_with("GET /l?limit=1&after=b%40%20%2A "));
}
