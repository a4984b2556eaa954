//! Signatures: what a client signed passes, and with one bit changed it does not, unless the
//! specification says that both are the same.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, header::CONTENT_TYPE, request::Parts,
};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use stoker_domain::time::Timestamp;

use super::{Input, flip};
use crate::auth::{
    Outgoing,
    admin::{By, Head},
    authorization::{ALGORITHM, Authorization},
    signing_keys::SigningKeys,
    tc3::{self, hex},
    v1::{
        self, Covered,
        pairs::{self, Pair, SIGNATURE},
    },
};

const SECRET: &str = "SKTESTTESTTESTTESTTESTTEST0001";
const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789.:-";

/// What is read of an `Authorization` field says the same when it is written anew, and is no longer
/// than the field was.
pub fn authorization(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for text in [text.into(), format!("{ALGORITHM} {text}")] {
        let Ok(read) = Authorization::parse(&text) else { continue };
        let Authorization { secret_id, date, service, signed_headers, signature } = &read;
        let names = signed_headers.join(";");
        let parts = [secret_id, date, service, &names, signature];
        assert!(parts.into_iter().map(String::len).sum::<usize>() <= text.len());
        let written = format!(
            "{ALGORITHM} Credential={secret_id}/{date}/{service}/tc3_request, \
             SignedHeaders={names}, Signature={signature}"
        );
        assert_eq!(Authorization::parse(&written).as_ref(), Ok(&read));
        assert!(signed_headers.windows(2).all(|pair| pair[0] < pair[1]));
        let shown =
            format!("Authorization {{ secret_id: {secret_id:?}, service: {service:?}, .. }}");
        assert_eq!(format!("{read:?}"), shown, "no signature is printed");
    }
}

/// A request that can be signed and then changed.
#[derive(Clone)]
struct Signed {
    method: Method,
    path: String,
    query: String,
    host: String,
    content_type: String,
    content: Vec<u8>,
    authorization: Authorization,
    timestamp: String,
}

impl Signed {
    fn made_up(input: &mut Input<'_>) -> Option<Self> {
        let methods = [Method::POST, Method::GET, Method::DELETE];
        let method = methods[usize::from(input.byte()) % methods.len()].clone();
        let path = format!("/{}", input.text(WORD, 20));
        let query = input.visible(60);
        let host = input.visible(40);
        let content_type = input.visible(40);
        let content = input.bytes(200).to_vec();
        let service = format!("s{}", input.text(WORD, 8));
        let seconds = i64::try_from(input.number() * 50_000).ok()?;
        let outgoing = Outgoing {
            method: &method,
            path: &path,
            query: &query,
            host: &host,
            content: &content,
            time: Timestamp::from_seconds(seconds),
        };
        let field = outgoing.authorize("AKIDTEST", SECRET, &content_type, &service);
        let authorization = Authorization::parse(&field).ok()?;
        let timestamp = seconds.to_string();
        Some(Self { method, path, query, host, content_type, content, authorization, timestamp })
    }

    fn passes(&self, keys: &SigningKeys) -> bool {
        let Ok(content_type) = HeaderValue::from_bytes(self.content_type.as_bytes()) else {
            return false;
        };
        let fields = HeaderMap::from_iter([
            (CONTENT_TYPE, content_type),
            (HeaderName::from_static("x-tc-action"), HeaderValue::from_static("a")),
        ]);
        let message = tc3::Message {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            fields: &fields,
            host: self.host.as_bytes(),
            content_hash: &hex(&Sha256::digest(&self.content)),
            aliases: &[],
        };
        tc3::verify(keys, SECRET, &self.authorization, &self.timestamp, &message)
    }

    /// The same with one bit changed; `None` when what comes out is no request, or the same one:
    /// letter case and blanks around the value of a signed field do not count, nor does the query of
    /// a POST or the content of the others.
    fn mutated(&self, input: &mut Input<'_>) -> Option<Self> {
        let mut other = self.clone();
        let is_post = self.method == Method::POST;
        let is_same =
            |old: &str, new: &str| old.trim_ascii().eq_ignore_ascii_case(new.trim_ascii());
        match input.byte() % 10 {
            0 => other.path = input.flip(&self.path)?,
            1 if !is_post => other.query = input.flip(&self.query)?,
            2 => {
                other.host = input.flip(&self.host).filter(|new| !is_same(&self.host, new))?;
            }
            3 => {
                let new = input.flip(&self.content_type)?;
                other.content_type = Some(new).filter(|new| !is_same(&self.content_type, new))?;
            }
            4 if is_post => flip(&mut other.content, input.number())?,
            5 => other.timestamp = input.flip(&self.timestamp)?,
            6 => other.authorization.date = input.flip(&self.authorization.date)?,
            7 => other.authorization.service = input.flip(&self.authorization.service)?,
            8 => other.authorization.signature = input.flip(&self.authorization.signature)?,
            9 => other.authorization.signed_headers.push("x-tc-action".into()),
            _ => return None,
        }
        Some(other)
    }
}

/// A request signed by the client of ours passes, with and without a kept signing key; one with one
/// bit changed never does.
pub fn signature_tc3(data: &[u8]) {
    let mut input = Input(data);
    let Some(signed) = Signed::made_up(&mut input) else { return };
    let keys = SigningKeys::default();
    assert!(signed.passes(&keys));
    assert!(signed.passes(&keys));
    while !input.0.is_empty() {
        if let Some(other) = signed.mutated(&mut input) {
            assert!(!other.passes(&keys));
        }
    }
}

/// A call of the admin API, signed by the client of ours, passes with its content; with one bit
/// changed in any part of it, it does not. Nothing is read leniently there.
pub fn signature_admin(data: &[u8]) {
    let mut input = Input(data);
    let methods = [Method::POST, Method::GET, Method::DELETE];
    let method = &methods[usize::from(input.byte()) % methods.len()];
    let path = format!("/{}", input.text(WORD, 20));
    let query = input.text(WORD, 40);
    let host = format!("h{}", input.text(WORD, 20));
    let content = input.bytes(200).to_vec();
    let mut nonce = [0; 16];
    nonce.iter_mut().for_each(|byte| *byte = input.byte());
    let Ok(seconds) = i64::try_from(input.number() * 50_000) else { return };
    let time = Timestamp::from_seconds(seconds);
    let (path, query, host) = (path.as_str(), query.as_str(), host.as_str());
    let call = Outgoing { method, path, query, host, content: &content, time };
    let fields = call.sign_whole("AKIDTEST", SECRET, nonce);
    let target = format!("{path}?{query}");
    let sent = |method: &Method, target: &str, host: &str, fields: &[(&str, String)]| {
        let mut request = Request::builder().method(method).uri(target).header("host", host);
        for (name, value) in fields {
            request = request.header(*name, value);
        }
        Some(request.body(()).ok()?.into_parts().0)
    };
    let passes = |parts: &Parts, content: &[u8]| {
        let field = |name: &str| parts.headers.get(name).and_then(|field| field.to_str().ok());
        let Some(text) = field("authorization") else { return false };
        let Ok(authorization) = Authorization::parse(text) else { return false };
        let Ok(head) = Head::read(parts, &authorization) else { return false };
        let by = By { secret_key: SECRET, keys: &SigningKeys::default(), aliases: &[] };
        let time = field("x-tc-timestamp").unwrap_or_default();
        head.is_signed(parts, &authorization, time, &by)
            && head.check(&Sha256::digest(content)).is_ok()
    };
    let Some(parts) = sent(method, &target, host, &fields) else { return };
    let sent_content = content;
    assert!(passes(&parts, &sent_content));
    assert!(!passes(&parts, &[&sent_content[..], b"x"].concat()));
    while !input.0.is_empty() {
        let (mut target, mut host, mut method) = (target.clone(), host.to_owned(), method.clone());
        let (mut fields, mut content) = (fields.clone(), sent_content.clone());
        let changed = match input.byte() % 5 {
            0 => input.flip(&target).map(|new| target = new),
            1 => input.flip(&host).map(|new| host = new),
            2 => flip(&mut content, input.number()),
            3 => methods.iter().find(|other| **other != method).map(|new| method = new.clone()),
            _ => {
                // not `Authorization`, whose names of parts are read in any letter case
                let place = usize::from(input.byte()) % (fields.len() - 1);
                input.flip(&fields[place].1).map(|new| fields[place].1 = new)
            }
        };
        let other = changed.and_then(|()| sent(&method, &target, &host, &fields));
        // blanks around a value do not count
        let values = |parts: &Parts| -> Vec<Vec<u8>> {
            parts.headers.values().map(|value| value.as_bytes().trim_ascii().to_vec()).collect()
        };
        let Some(other) = other else { continue };
        let is_same = other.method == parts.method
            && other.uri == parts.uri
            && values(&other) == values(&parts)
            && content == sent_content;
        assert_eq!(passes(&other, &content), is_same);
    }
}

/// A call signed as the specification says passes; one with one bit changed in a name, a value,
/// the host or the path never does.
pub fn signature_v1(data: &[u8]) {
    let mut input = Input(data);
    let algorithm = ["HmacSHA1", "HmacSHA256"][usize::from(input.byte() % 2)];
    let method = if input.byte().is_multiple_of(2) { Method::POST } else { Method::GET };
    let changes = [input.number(), input.number(), input.number(), input.number()];
    let Ok(mut pairs) = pairs::from_form(input.0) else { return };
    pairs.retain(|pair| !["Signature", "SignatureMethod"].contains(&pair.name.as_str()));
    pairs.push(Pair { name: "SignatureMethod".into(), value: algorithm.into() });
    let signature = sign(&method, algorithm, &pairs);
    pairs.push(Pair { name: SIGNATURE.into(), value: signature });
    let covered = |host: &str, path: &str, pairs: &[Pair]| {
        let message =
            v1::Message { method: &method, host: host.as_bytes(), path, pairs, aliases: &[] };
        v1::verify(SECRET, &message)
    };
    assert_eq!(covered(HOST, PATH, &pairs), Some(Covered::All));
    for [which, bit] in [[changes[0], changes[1]], [changes[2], changes[3]]] {
        let mut others = pairs.clone();
        let place = which % others.len();
        let part =
            if which & 0x100 == 0 { &mut others[place].value } else { &mut others[place].name };
        let mut bytes = part.clone().into_bytes();
        if flip(&mut bytes, bit).is_none() {
            continue;
        }
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        *part = changed;
        // the reader takes a name once
        let is_unique = others.iter().filter(|pair| pair.name == others[place].name).count() == 1;
        if is_unique {
            assert_eq!(covered(HOST, PATH, &others), None);
        }
    }
    assert_eq!(covered("cdn.example.net", PATH, &pairs), None);
    assert_eq!(covered(HOST, "/v2/index.phq", &pairs), None);
}

const HOST: &str = "cdn.example.com";
const PATH: &str = "/v2/index.php";

fn sign(method: &Method, algorithm: &str, pairs: &[Pair]) -> String {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let items: Vec<String> =
        sorted.iter().map(|pair| format!("{}={}", pair.name, pair.value)).collect();
    let text = format!("{method}{HOST}{PATH}?{}", items.join("&"));
    let (secret, reason) = (SECRET.as_bytes(), "HMAC takes a key of any length");
    if algorithm == "HmacSHA1" {
        let mac = Hmac::<Sha1>::new_from_slice(secret).expect(reason);
        STANDARD.encode(mac.chain_update(text).finalize().into_bytes())
    } else {
        let mac = Hmac::<Sha256>::new_from_slice(secret).expect(reason);
        STANDARD.encode(mac.chain_update(text).finalize().into_bytes())
    }
}
