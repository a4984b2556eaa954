//! The published vectors and those of real clients, through the real verifier.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const ID: &str = "AKIDTESTTESTTESTTESTTESTTESTTEST0001";
const KEY: &str = "SKTESTTESTTESTTESTTESTTEST0001";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const CDN: &str = "cdn.tencentcloudapi.com";
const LOOPBACK: &str = "127.0.0.1:8080";
const PYTHON_BODY: &str = r#"{"Urls": ["http://www.test.com/1 2/\u4e2d_\u6587.jpg?a=b&c=d", "http://www.test.com/2.jpg"], "Area": "global", "ParseM3U8": true, "Headers": [{"Name": "X_A", "Value": "v_1"}]}"#;
const PYTHON_QUERY: &str = "Urls.0=http%3A%2F%2Fwww.test.com%2F1+2%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd&Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=True&Headers.0.Name=X_A&Headers.0.Value=v_1";
const NODE_BODY: &str = r#"{"Urls":["http://www.test.com/1 2/中_文.jpg?a=b&c=d","http://www.test.com/2.jpg"],"Area":"global","ParseM3U8":true,"Headers":[{"Name":"X_A","Value":"v_1!'()*"}]}"#;
const NODE_QUERY: &str = "Urls.0=http%3A%2F%2Fwww.test.com%2F1%202%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd&Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=true&Headers.0.Name=X_A&Headers.0.Value=v_1!%27()*";
const MULTIPART: &str = "multipart/form-data; boundary=0123456789abcdef0123456789abcdef";
const MULTIPART_BODY: &str = "--0123456789abcdef0123456789abcdef\r\nContent-Disposition: form-data; name=\"TaskId\"\r\n\r\n15475444535871929928456\r\n--0123456789abcdef0123456789abcdef\r\nContent-Disposition: form-data; name=\"Area\"\r\n\r\nmainland\r\n--0123456789abcdef0123456789abcdef--\r\n";
const CVM_BODY: &str =
    r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

/// One signed call as a client sends it.
#[derive(Clone, Debug)]
struct Vector {
    name: &'static str,
    secret_key: String,
    method: Method,
    path: &'static str,
    query: String,
    host: String,
    service: &'static str,
    signed: &'static str,
    fields: Vec<(&'static str, String)>,
    timestamp: &'static str,
    date: &'static str,
    content: Vec<u8>,
    signature: String,
}

impl Vector {
    fn post(name: &'static str, host: &str, body: &str, signature: &str) -> Self {
        Self {
            name,
            secret_key: KEY.into(),
            method: Method::POST,
            path: "/",
            query: String::new(),
            host: host.into(),
            service: "cdn",
            signed: "content-type;host",
            fields: vec![("content-type", JSON.into()), ("x-tc-language", "zh-CN".into())],
            timestamp: "1700000000",
            date: "2023-11-14",
            content: body.into(),
            signature: signature.into(),
        }
    }

    fn get(name: &'static str, host: &str, query: &str, signature: &str) -> Self {
        let mut vector = Self::post(name, host, "", signature).content_type(FORM);
        vector.method = Method::GET;
        vector.query = query.into();
        vector
    }

    fn service(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    fn content_type(mut self, value: &str) -> Self {
        self.fields[0].1 = value.into();
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn is_valid(&self) -> bool {
        self.is_valid_with(&SigningKeys::default())
    }

    fn is_valid_with(&self, keys: &SigningKeys) -> bool {
        self.passes(keys, &self.authorization())
    }

    fn authorization(&self) -> String {
        format!(
            "{ALGORITHM} Credential={ID}/{}/{}/tc3_request, SignedHeaders={}, Signature={}",
            self.date, self.service, self.signed, self.signature
        )
    }

    fn passes(&self, keys: &SigningKeys, authorization: &str) -> bool {
        let mut fields = HeaderMap::new();
        for (name, value) in &self.fields {
            let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { return false };
            fields.insert(HeaderName::from_static(name), value);
        }
        let message = Message {
            method: &self.method,
            path: self.path,
            query: &self.query,
            fields: &fields,
            host: self.host.as_bytes(),
            content_hash: &hex(&Sha256::digest(&self.content)),
            aliases: &[],
        };
        Authorization::parse(authorization).is_ok_and(|authorization| {
            verify(keys, &self.secret_key, &authorization, self.timestamp, &message)
        })
    }
}

fn published() -> Vec<Vector> {
    let one = Vector {
        name: "published 1",
        secret_key: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE".into(),
        timestamp: "1551113065",
        date: "2019-02-25",
        ..Vector::post(
            "",
            "cvm.tencentcloudapi.com",
            CVM_BODY,
            "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
        )
        .service("cvm")
        .content_type("application/json; charset=utf-8")
    };
    let two = Vector {
        name: "published 2",
        secret_key: "*".repeat(32),
        signed: "content-type;host;x-tc-action",
        signature: "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f".into(),
        ..one.clone()
    }
    .with("x-tc-action", "DescribeInstances");
    vec![one, two]
}

fn python() -> Vec<Vector> {
    let t1 = "b37274724cc73c06710526ba205265c298d64f5471667aae776bc0d955713fda";
    vec![
        Vector::post("T1", CDN, "{}", t1),
        Vector::post(
            "T2",
            CDN,
            PYTHON_BODY,
            "37430e9382aef54305fe06f1aa8597f9766744aaddab2cc48f29ef173ed91c21",
        ),
        Vector::get(
            "T3",
            CDN,
            PYTHON_QUERY,
            "f52b5daf1a2fc59c6ecb979fd1a095833730cd047a3917eeccaf8307a3a3b2a7",
        ),
        Vector::get(
            "T4",
            CDN,
            "",
            "7b0c8cdef9bf4788823c24ea10523491b94555e52121efce218138b7d4b44f41",
        ),
        Vector::post(
            "T5",
            "teo.tencentcloudapi.com",
            r#"{"ZoneId": "zone-test", "Targets": ["http://www.test.com/a.txt"], "Mode": "edge", "EncodeUrl": true}"#,
            "429c0f6c57216a09db855ad8f953869860c4b45fca4d082d1ff83b940c187b25",
        )
        .service("teo"),
        Vector::post(
            "T6",
            LOOPBACK,
            "{}",
            "fb534613b472b75b99efb8746d598a10bc3c9ffaaeccb2bc8abd81121e45f3a0",
        ),
        Vector::post(
            "T7",
            "http://127.0.0.1:8080",
            "{}",
            "31f7abc17ea0c25de65e28d942eae910605416ee96447984afee0e1871a14a51",
        ),
        Vector::post(
            "T8",
            CDN,
            "{}",
            "82349b2e597458f19350198c70678e8a915ec043e108264ee2f68ba73d802ed8",
        )
        .with("x-tc-content-sha256", UNSIGNED_PAYLOAD),
        Vector::post("T9", CDN, "{}", t1).with("x-tc-token", "TOKENTEST"),
        Vector::post(
            "T10",
            CDN,
            MULTIPART_BODY,
            "c50c900f6e529e9bdc56f9ba9c402e7decb9ab5ff827c5ee9230ae7804abeeee",
        )
        .content_type(MULTIPART),
    ]
}

fn node() -> Vec<Vector> {
    vec![
        Vector::post(
            "T11",
            LOOPBACK,
            NODE_BODY,
            "b8956f3e85cc8004aa6d265bd1fab4fd5f129bcf6ed82cc7ea5cc0e16c2987bc",
        )
        .service("127"),
        Vector::get(
            "T12",
            LOOPBACK,
            NODE_QUERY,
            "30447e4c74a5fbdb357d7b7f0c647ab1124dc56cd533fa412933f0049e62cb54",
        )
        .service("127"),
        Vector::post(
            "T13",
            "localhost:8080",
            "{}",
            "270c2dba1881c26b036c1ef7702a06572bbfacb01348170351bbf0a74d55c895",
        )
        .service("localhost:8080"),
        Vector::post(
            "T14",
            LOOPBACK,
            r#"{"ZoneId":"zone-test","Targets":["http://www.test.com/a.txt"],"Mode":"edge","EncodeUrl":true}"#,
            "6e1bccce665f991df0f7adb38c429910f1b7de97ff5ff59d91aa2e2a3db9768d",
        )
        .service("127"),
    ]
}

fn reference() -> Vec<Vector> {
    let java = "application/json; charset=utf-8";
    let mut r1 = Vector::post(
        "R1",
        CDN,
        "{}",
        "d88d2b0a31a4eba5aa64b970a4db0c0d59e960ee2eb26f186df5d880154487df",
    )
    .content_type(java)
    .with("x-tc-action", "DescribePushQuota");
    r1.signed = "content-type;host;x-tc-action";
    vec![
        r1,
        Vector::post(
            "R2",
            LOOPBACK,
            "{}",
            "a69ee4c1a2d4f1dc5b095e8918a7cb71122af2bc99da5a4c88a3207b8ef2f501",
        )
        .service("127")
        .content_type(java),
        Vector::post(
            "R3",
            CDN,
            "{}",
            "16dfbab3ff4f15bca197cc77b293fb8e02d4d8dd038353b360fa1e06451c6b1e",
        )
        .content_type(java),
        Vector::post(
            "R4",
            LOOPBACK,
            "{}",
            "2a5de0a4a11b48837f5fe722e347e7a6806859eba0f76092d0b5474a0c4efe3b",
        )
        .service("127"),
        Vector::post(
            "R5",
            LOOPBACK,
            "{}",
            "fb534613b472b75b99efb8746d598a10bc3c9ffaaeccb2bc8abd81121e45f3a0",
        ),
    ]
}

fn all() -> Vec<Vector> {
    [published(), python(), node(), reference()].concat()
}

#[test]
fn every_vector_of_the_specification_is_accepted() {
    assert_eq!(all().len(), 21);
    for vector in all() {
        assert!(vector.is_valid(), "{}", vector.name);
    }
}

#[test]
fn a_proxy_in_front_is_met_by_an_alias() {
    let mut vector = python().remove(0);
    vector.host = "gateway.internal".into();
    assert!(!vector.is_valid());
    let mut fields = HeaderMap::new();
    fields.insert("content-type", HeaderValue::from_static(JSON));
    let message = Message {
        method: &Method::POST,
        path: "/",
        query: "",
        fields: &fields,
        host: b"gateway.internal",
        content_hash: &hex(&Sha256::digest("{}")),
        aliases: &[CDN.into()],
    };
    let authorization = Authorization::parse(&format!(
        "{ALGORITHM} Credential={ID}/2023-11-14/cdn/tc3_request, \
         SignedHeaders=content-type;host, Signature={}",
        vector.signature
    ))
    .unwrap();
    assert!(verify(&SigningKeys::default(), KEY, &authorization, "1700000000", &message));
}

#[test]
fn the_signing_keys_are_the_published_ones() {
    assert_eq!(
        hex(&signing_key(KEY, "2023-11-14", "cdn")),
        "412ec9e78e8754c065042bf8b46fe040ba3e940af04515851c376e96b391a762"
    );
    assert_eq!(
        hex(&signing_key(&"*".repeat(32), "2019-02-25", "cvm")),
        "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af"
    );
}

#[test]
fn a_signing_key_is_kept_once_it_has_verified_a_call_and_then_used() {
    let keys = SigningKeys::default();
    let vector = python().remove(0);
    let origin =
        Origin { secret_id: ID, secret_key: KEY, date: vector.date, service: vector.service };
    let forged = Vector { signature: "0".repeat(64), ..vector.clone() };
    assert!(!forged.is_valid_with(&keys));
    assert_eq!(keys.get(&origin), None);
    assert!(vector.is_valid_with(&keys));
    assert_eq!(keys.get(&origin), Some(signing_key(KEY, vector.date, vector.service)));
    assert!(vector.is_valid_with(&keys));
    assert!(!forged.is_valid_with(&keys));
    // what is kept is what decides: with another key in its place nothing passes
    keys.keep(&origin, [0; 32]);
    assert!(!vector.is_valid_with(&keys));
    let rotated = Vector { secret_key: "rotated".into(), ..vector };
    assert!(!rotated.is_valid_with(&keys));
}

#[test]
fn a_date_other_than_that_of_the_timestamp_fails() {
    // signed correctly for its own scope, one day off
    let scope = "2023-11-15/cdn/tc3_request";
    let canonical = format!(
        "POST\n/\n\ncontent-type:{JSON}\nhost:{CDN}\n\ncontent-type;host\n{}",
        hex(&Sha256::digest("{}"))
    );
    let key = signing_key(KEY, "2023-11-15", "cdn");
    let mut vector = python().remove(0);
    vector.date = "2023-11-15";
    vector.signature = hex(&sign_text(&key, "1700000000", scope, canonical.as_bytes()));
    assert!(!vector.is_valid());
}

#[test]
fn five_minutes_off_is_current_and_a_second_more_is_not() {
    let now = Timestamp::from_seconds(1_700_000_000);
    for off in [-300, 0, 300] {
        assert!(is_current(1_700_000_000 + off, now), "{off}");
    }
    for off in [-301, 301, i64::MAX - 1_700_000_000, i64::MIN] {
        assert!(!is_current(1_700_000_000_i64.wrapping_add(off), now), "{off}");
    }
}

/// `bytes` with each of its bits changed in turn.
fn every_flip(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn every_flipped_text(text: &str) -> impl Iterator<Item = String> {
    every_flip(text.as_bytes()).filter_map(|flipped| String::from_utf8(flipped).ok())
}

#[test]
fn one_flipped_bit_of_the_authorization_never_passes() {
    let keys = SigningKeys::default();
    let mut refused = 0;
    for vector in all() {
        let text = vector.authorization();
        let whole = Authorization::parse(&text).unwrap();
        for flipped in every_flipped_text(&text) {
            // the SecretId says whose secret it is and is not signed; letter case does not count in
            // names of fields and of parts
            let is_same = Authorization::parse(&flipped).is_ok_and(|read| {
                Authorization { secret_id: whole.secret_id.clone(), ..read } == whole
            });
            if !is_same {
                refused += 1;
                assert!(!vector.passes(&keys, &flipped), "{}: {flipped}", vector.name);
            }
        }
    }
    assert!(refused > 20_000, "{refused} mutations were tried");
}

/// Each signed value of `vector` but the `Authorization` with each bit changed in turn. Not among
/// them is what counts as the same by the specification: letter case of hosts and field values,
/// which some clients lower before they sign, the port of a host that was signed without it, and
/// the content of a client that says UNSIGNED-PAYLOAD.
fn flipped_values(vector: &Vector) -> Vec<Vector> {
    let flips = |text: &str| -> Vec<String> {
        every_flipped_text(text).filter(|flipped| !flipped.eq_ignore_ascii_case(text)).collect()
    };
    let mut found = Vec::new();
    let mut add = |change: &dyn Fn(&mut Vector)| {
        let mut changed = vector.clone();
        change(&mut changed);
        found.push(changed);
    };
    for flipped in every_flipped_text(vector.method.as_str()) {
        let Ok(method) = flipped.parse::<Method>() else { continue };
        add(&|it| it.method = method.clone());
    }
    for path in every_flipped_text(vector.path) {
        add(&|it| it.path = path.clone().leak());
    }
    let signed_host = match vector.host.rsplit_once(':') {
        Some((bare, _)) if PORT_NOT_SIGNED.contains(&vector.name) => bare,
        _ => vector.host.as_str(),
    };
    for flipped in flips(signed_host) {
        add(&|it| it.host = format!("{flipped}{}", &vector.host[signed_host.len()..]));
    }
    for (index, (name, value)) in vector.fields.iter().enumerate() {
        if vector.signed.contains(name) || *name == "x-tc-content-sha256" {
            flips(value)
                .into_iter()
                .for_each(|value| add(&|it| it.fields[index].1 = value.clone()));
        }
    }
    if vector.method != Method::POST {
        every_flipped_text(&vector.query).for_each(|query| add(&|it| it.query = query.clone()));
    }
    if vector.name != "T8" {
        every_flip(&vector.content).for_each(|content| add(&|it| it.content = content.clone()));
    }
    for timestamp in every_flipped_text(vector.timestamp) {
        add(&|it| it.timestamp = timestamp.clone().leak());
    }
    found
}

/// Clients that sign the host without its port.
const PORT_NOT_SIGNED: [&str; 4] = ["T11", "T12", "T13", "T14"];

#[test]
fn one_flipped_bit_of_any_signed_value_never_passes() {
    let keys = SigningKeys::default();
    let mut refused = 0;
    for vector in all() {
        for changed in flipped_values(&vector) {
            refused += 1;
            assert!(!changed.is_valid_with(&keys), "{changed:?}");
        }
    }
    assert!(refused > 18_000, "{refused} mutations were tried");
}

#[test]
fn what_is_the_same_by_the_specification_passes() {
    for vector in all() {
        let mut other = vector.clone();
        other.host.make_ascii_uppercase();
        other.fields[0].1 = format!(" {}\t", other.fields[0].1.to_ascii_uppercase());
        assert!(other.is_valid(), "{}", vector.name);
        let mut other = vector.clone();
        if PORT_NOT_SIGNED.contains(&vector.name) {
            other.host = other.host.replace(":8080", ":9090");
            assert!(other.is_valid(), "{}", vector.name);
        }
        let mut other = vector.clone();
        match vector.method {
            Method::POST => other.query = "a=b".into(),
            _ => other.content = b"x".to_vec(),
        }
        assert!(other.is_valid(), "{}", vector.name);
        if vector.name == "T8" {
            other.content = b"x".to_vec();
            assert!(other.is_valid(), "{}", vector.name);
        }
    }
}

#[test]
fn another_method_timestamp_service_or_list_of_fields_never_passes() {
    for vector in all() {
        let mut other = vector.clone();
        other.method = if vector.method == Method::GET { Method::POST } else { Method::GET };
        assert!(!other.is_valid(), "{}", vector.name);
        let other = Vector { timestamp: "1700000001", ..vector.clone() };
        assert!(!other.is_valid(), "{}", vector.name);
        let other = Vector { timestamp: "x", ..vector.clone() };
        assert!(!other.is_valid(), "{}", vector.name);
        let other = Vector { service: "vod", ..vector.clone() };
        assert!(!other.is_valid(), "{}", vector.name);
        let other = Vector { secret_key: format!("{}x", vector.secret_key), ..vector.clone() };
        assert!(!other.is_valid(), "{}", vector.name);
        let mut other = vector.clone().with("x-tc-region", "gz");
        other.signed = "content-type;host;x-tc-region";
        assert!(!other.is_valid(), "{}", vector.name);
    }
}

#[test]
fn a_client_of_ours_is_accepted() {
    for (method, query, content) in [
        (Method::POST, "", "{\"urls\":[]}"),
        (Method::GET, "offset=0&limit=2", ""),
        (Method::DELETE, "", ""),
    ] {
        let request = Outgoing {
            method: &method,
            path: "/admin/v1/domains/a.example",
            query,
            host: "127.0.0.1:7700",
            content: content.as_bytes(),
            time: Timestamp::from_seconds(1_700_000_000),
        };
        let field = request.authorize(ID, KEY, JSON, "admin");
        let authorization = Authorization::parse(&field).expect("we wrote it");
        let mut fields = HeaderMap::new();
        fields.insert("content-type", HeaderValue::from_static(JSON));
        let message = Message {
            method: &method,
            path: request.path,
            query,
            fields: &fields,
            host: b"127.0.0.1:7700",
            content_hash: &hex(&Sha256::digest(content)),
            aliases: &[],
        };
        assert!(
            verify(&SigningKeys::default(), KEY, &authorization, "1700000000", &message),
            "{method}"
        );
        let elsewhere = Message { path: "/admin/v1/domains/b.example", ..message };
        assert!(
            !verify(&SigningKeys::default(), KEY, &authorization, "1700000000", &elsewhere),
            "{method}"
        );
    }
}

#[test]
fn a_date_has_four_two_and_two_digits() {
    assert!(is_utc_date("2023-11-14", 1_700_000_000));
    for other in ["", "2023-11-4", "02023-11-14", "2023-11-14 ", "2023/11/14", "20x3-11-14", "--"] {
        assert!(!is_utc_date(other, 1_700_000_000), "{other}");
    }
    assert!(!is_utc_date(&format!("{}-11-14", "9".repeat(100)), 1_700_000_000));
}

proptest! {
    #[test]
    fn a_time_has_the_date_that_is_written_for_it(seconds in 0..253_402_300_800i64, step in -1..=1i64) {
        let date = utc_date(seconds).expect("a date of this era");
        let other = seconds + step * 86_400;
        prop_assert_eq!(is_utc_date(&date, seconds), true);
        prop_assert_eq!(is_utc_date(&date, other), step == 0);
    }

    #[test]
    fn no_request_makes_the_verifier_panic(host in proptest::collection::vec(any::<u8>(), 0..40),
                                           query in "\\PC*", timestamp in "[-+0-9]{0,20}",
                                           content in proptest::collection::vec(any::<u8>(), 0..40)) {
        let authorization = Authorization::parse(&format!(
            "{ALGORITHM} Credential=a/1970-01-01/c/tc3_request, \
             SignedHeaders=content-type;host;x-none, Signature=00"
        )).expect("it is well formed");
        let message = Message {
            method: &Method::GET,
            path: "/",
            query: &query,
            fields: &HeaderMap::new(),
            host: &host,
            content_hash: &hex(&Sha256::digest(&content)),
            aliases: &[],
        };
        prop_assert!(!verify(&SigningKeys::default(), KEY, &authorization, &timestamp, &message));
    }
}
