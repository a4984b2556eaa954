//! What is signed, by what the reference shows and by changing every part of it.

use http::{Method, Request};
use proptest::prelude::*;
use stoker_domain::time::Timestamp;

use super::*;

const ID: &str = "AKIDEXAMPLEEXAMPLEEXAMPLEEXAMPLE0001";
const KEY: &str = "SKEXAMPLEEXAMPLEEXAMPLEEXAMPLE01";
const HOST: &str = "127.0.0.1:7700";
const NONCE: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const CONTENT: &[u8] = br#"{"name":"ann"}"#;

fn call() -> Outgoing<'static> {
    Outgoing {
        method: &Method::POST,
        path: "/admin/v1/users",
        query: "account=100000000002",
        host: HOST,
        content: CONTENT,
        time: Timestamp::from_seconds(1_700_000_000),
    }
}

fn field(fields: &[(&'static str, String)], name: &str) -> String {
    fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).unwrap()
}

#[test]
fn the_worked_example_of_the_reference_is_what_is_signed() {
    let reference = include_str!("../../../../../docs/reference/admin-api.md");
    let fields = call().sign_whole(ID, KEY, NONCE);
    let (nonce, hash) = (field(&fields, "stoker-nonce"), field(&fields, "x-tc-content-sha256"));
    let canonical = call().whole(&nonce, &hash);
    let text = format!(
        "TC3-HMAC-SHA256\n1700000000\n2023-11-14/admin/tc3_request\n{}",
        hex(&Sha256::digest(&canonical))
    );
    for shown in [canonical, text, field(&fields, "authorization"), nonce, hash, KEY.into()] {
        assert!(reference.contains(&shown), "the reference does not show\n{shown}");
    }
}

#[test]
fn the_signature_is_this() {
    let authorization = field(&call().sign_whole(ID, KEY, NONCE), "authorization");
    let (_, signature) = authorization.split_once("Signature=").unwrap();
    // by another program: hmac and hashlib of Python, as the reference tells the steps
    assert_eq!(signature, "d453aadccd02f72269d0debd21d6498de5d0d9c1986e175630305ddb861ed1e7");
    assert!(!field(&call().sign_whole(ID, "other", NONCE), "authorization").contains(signature));
}

fn parts(call: &Outgoing<'_>, fields: &[(&'static str, String)]) -> Parts {
    let target = match call.query {
        "" => call.path.into(),
        query => format!("{}?{query}", call.path),
    };
    let mut request = Request::builder().method(call.method).uri(target).header("host", call.host);
    for (name, value) in fields {
        request = request.header(*name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn read(parts: &Parts) -> Result<(), Error> {
    let text = parts.headers[header::AUTHORIZATION].to_str().unwrap();
    Head::read(parts, &Authorization::parse(text).unwrap()).map(|_| ())
}

#[test]
fn what_is_missing_wrong_or_doubled_is_told() {
    let good = call().sign_whole(ID, KEY, NONCE);
    assert_eq!(read(&parts(&call(), &good)), Ok(()));
    let with = |name: &'static str, value: &str| {
        let mut fields = good.to_vec();
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value.into()));
        read(&parts(&call(), &fields))
    };
    let without = |name: &'static str| {
        let fields: Vec<_> = good.iter().filter(|(known, _)| *known != name).cloned().collect();
        read(&parts(&call(), &fields))
    };
    assert_eq!(without("stoker-nonce"), Err(Error::NoNonce));
    assert_eq!(without("x-tc-content-sha256"), Err(Error::NoHash));
    assert_eq!(without("content-type"), Err(Error::Fields));
    let upper = hex(&NONCE).to_uppercase();
    for wrong in ["", "1", &hex(&NONCE)[1..], &format!("{}0", hex(&NONCE)), &upper, &"g".repeat(32)]
    {
        assert_eq!(with("stoker-nonce", wrong), Err(Error::Nonce), "{wrong}");
    }
    assert_eq!(with("x-tc-content-sha256", UNSIGNED_PAYLOAD), Err(Error::Unsigned));
    for wrong in ["", "unsigned-payload", &"A".repeat(64), &"0".repeat(63)] {
        assert_eq!(with("x-tc-content-sha256", wrong), Err(Error::Hash), "{wrong}");
    }
    // sent, and not signed
    let authorization = field(&good, "authorization");
    for (part, error) in
        [(";stoker-nonce", Error::NoNonce), (";x-tc-content-sha256", Error::NoHash)]
    {
        let unsigned = authorization.replace(part, "");
        assert_eq!(with("authorization", &unsigned), Err(error), "{part}");
    }
    let more = authorization.replace("host;", "host;x-none;");
    assert_eq!(with("authorization", &more), Err(Error::Fields), "signed, and not sent");
    for (name, value) in &good {
        let twice: Vec<_> = good.iter().cloned().chain([(*name, value.clone())]).collect();
        assert_eq!(read(&parts(&call(), &twice)), Err(Error::Fields), "{name}");
    }
    let twice: Vec<_> = good.iter().cloned().chain([("host", HOST.into())]).collect();
    assert_eq!(read(&parts(&call(), &twice)), Err(Error::Fields));
}

#[test]
fn content_counts_by_its_hash() {
    let fields = call().sign_whole(ID, KEY, NONCE);
    let parts = parts(&call(), &fields);
    let authorization = Authorization::parse(&field(&fields, "authorization")).unwrap();
    let head = Head::read(&parts, &authorization).unwrap();
    assert_eq!(head.check(&Sha256::digest(CONTENT)), Ok(()));
    assert_eq!(head.check(&Sha256::digest(b"")), Err(Error::Content));
    assert_eq!(head.check(&Sha256::digest(br#"{"name":"bob"}"#)), Err(Error::Content));
}

proptest! {
    #[test]
    fn no_field_makes_the_reader_panic(nonce in "\\PC{0,40}", hash in "[ -~]{0,70}") {
        let mut fields = call().sign_whole(ID, KEY, NONCE);
        for (name, value) in &mut fields {
            match *name {
                "stoker-nonce" if http::HeaderValue::try_from(&nonce).is_ok() => *value = nonce.clone(),
                "x-tc-content-sha256" => *value = hash.clone(),
                _ => {}
            }
        }
        let _ = read(&parts(&call(), &fields));
    }
}
