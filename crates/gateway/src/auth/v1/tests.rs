//! Vectors of real clients, the restriction on `@` values, and mutations that never pass.

use super::*;

const SECRET: &str = "SKTESTTESTTESTTESTTESTTEST0001";

struct Vector {
    name: &'static str,
    method: Method,
    host: &'static str,
    path: &'static str,
    sent: &'static str,
}

impl Vector {
    fn covered(&self, sent: &[u8]) -> Option<Covered> {
        self.covered_with(sent, self.host, SECRET)
    }

    fn covered_with(&self, sent: &[u8], host: &str, secret: &str) -> Option<Covered> {
        let pairs = pairs::from_form(sent).ok()?;
        let message = Message {
            method: &self.method,
            host: host.as_bytes(),
            path: self.path,
            pairs: &pairs,
            aliases: &[],
        };
        verify(secret, &message)
    }
}

const VECTORS: [Vector; 12] = [
    Vector {
        name: "S1",
        method: Method::GET,
        host: "cdn.tencentcloudapi.com",
        path: "/",
        sent: "Urls.0=http%3A%2F%2Fwww.test.com%2F1+2%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd\
             &Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=True\
             &Headers.0.Name=X_A&Headers.0.Value=v_1&Action=PushUrlsCache\
             &RequestClient=SDK_PYTHON_3.1.169&Nonce=1234567890123456789&Timestamp=1700000000\
             &Version=2018-06-06&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &SignatureMethod=HmacSHA1&Language=zh-CN&Signature=A%2FoqRYgizXI8QxvNsfEi41PzT1c%3D",
    },
    Vector {
        name: "S2",
        method: Method::POST,
        host: "cdn.tencentcloudapi.com",
        path: "/",
        sent: "Urls.0=http%3A%2F%2Fwww.test.com%2F1+2%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd\
             &Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=True\
             &Headers.0.Name=X_A&Headers.0.Value=v_1&Action=PushUrlsCache\
             &RequestClient=SDK_PYTHON_3.1.169&Nonce=1234567890123456789&Timestamp=1700000000\
             &Version=2018-06-06&Region=ap-guangzhou&Token=TOKENTEST\
             &SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&SignatureMethod=HmacSHA256\
             &Language=en-US&Signature=BCLap25ljQCvfbBXQnHqHPbooVIv4ga01%2FH1K2NlAaU%3D",
    },
    Vector {
        name: "S3",
        method: Method::POST,
        host: "127.0.0.1:8080",
        path: "/",
        sent: "Urls.0=http%3A%2F%2Fwww.test.com%2F1%202%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd\
             &Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=true\
             &Headers.0.Name=X_A&Headers.0.Value=v_1!'()*&Action=PushUrlsCache\
             &RequestClient=SDK_NODEJS_4.1.220&Nonce=11111&Timestamp=1700000000\
             &Version=2018-06-06&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &SignatureMethod=HmacSHA256&Signature=Utp91yySpiIGFE2UwVMtTixwfVozolpAHqDWDDJRLf0%3D",
    },
    Vector {
        name: "S4",
        method: Method::GET,
        host: "127.0.0.1:8080",
        path: "/",
        sent: "Urls.0=http%3A%2F%2Fwww.test.com%2F1%202%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd\
             &Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=true\
             &Headers.0.Name=X_A&Headers.0.Value=v_1!'()*&Action=PushUrlsCache\
             &RequestClient=SDK_NODEJS_4.1.220&Nonce=11111&Timestamp=1700000000\
             &Version=2018-06-06&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &SignatureMethod=HmacSHA1&Signature=1PoMe%2FVEEizvpMN%2BaRNKTbA9Jw0%3D",
    },
    Vector {
        name: "V1",
        method: Method::GET,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "urls.0=http%3A%2F%2Fwww.test.com%2F1.jpg&limitRate=1&Action=CdnPusherV2\
             &RequestClient=SDK_PYTHON_2.0.15&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &Nonce=1234567890123456789&Timestamp=1700000000&SignatureMethod=HmacSHA1\
             &Signature=bSVzO7o0OZWVapaH9Znr7ZKMmLc%3D",
    },
    Vector {
        name: "V2",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "urls.0=http%3A%2F%2Fwww.test.com%2F1+2%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd\
             &urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&limitRate=1&Action=CdnPusherV2\
             &RequestClient=SDK_PYTHON_2.0.15&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &Nonce=1234567890123456789&Timestamp=1700000000&SignatureMethod=HmacSHA256\
             &Signature=v0Gw8kTC0h%2FrshErEW31JzVQ5D5Dos5U0FqkoD6Urac%3D",
    },
    Vector {
        name: "V3",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "urls.0=http%3A%2F%2Fwww.test.com%2F0.jpg&urls.1=http%3A%2F%2Fwww.test.com%2F1.jpg\
             &urls.2=http%3A%2F%2Fwww.test.com%2F2.jpg&urls.3=http%3A%2F%2Fwww.test.com%2F3.jpg\
             &urls.4=http%3A%2F%2Fwww.test.com%2F4.jpg&urls.5=http%3A%2F%2Fwww.test.com%2F5.jpg\
             &urls.6=http%3A%2F%2Fwww.test.com%2F6.jpg&urls.7=http%3A%2F%2Fwww.test.com%2F7.jpg\
             &urls.8=http%3A%2F%2Fwww.test.com%2F8.jpg&urls.9=http%3A%2F%2Fwww.test.com%2F9.jpg\
             &urls.10=http%3A%2F%2Fwww.test.com%2F10.jpg\
             &urls.11=http%3A%2F%2Fwww.test.com%2F11.jpg&Action=CdnPusherV2\
             &RequestClient=SDK_PYTHON_2.0.15&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001\
             &Nonce=1234567890123456789&Timestamp=1700000000&SignatureMethod=HmacSHA1\
             &Signature=PQkwwvSqb2zRmK8NFbDVah%2Fq84s%3D",
    },
    Vector {
        name: "V4",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "urls_0=http%3A%2F%2Fwww.test.com%2F1.jpg&note=%40ignored-when-signing\
             &Action=CdnPusherV2&RequestClient=SDK_PYTHON_2.0.15\
             &SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&Nonce=1234567890123456789\
             &Timestamp=1700000000&SignatureMethod=HmacSHA1\
             &Signature=7%2BX6TFpSMJDau78PABsd%2F4FMsc0%3D",
    },
    Vector {
        name: "V5",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "Action=GetFlushQuota&RequestClient=SDK_PYTHON_2.0.15&Region=gz&Token=TOKENTEST\
             &SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&Nonce=1234567890123456789\
             &Timestamp=1700000000&SignatureMethod=HmacSHA256\
             &Signature=x1DXv19GlJkStyp8v3i1R1rfQy2N0UZKyg57%2BJejLk4%3D",
    },
    Vector {
        name: "V6",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "Region=&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&Timestamp=1700000000\
             &Nonce=11111&RequestClient=SDK_NODEJS_0.2.1&Action=CdnPusherV2\
             &urls.0=http%3A%2F%2Fwww.test.com%2F1%202.jpg%3Fa%3Db\
             &urls.1=http%3A%2F%2Fwww.test.com%2F%E4%B8%AD_%E6%96%87.jpg&limitRate=1\
             &Signature=TSvGXl9IoMmXkwNMnafx6NAEC2k%3D",
    },
    Vector {
        name: "V7",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "Region=&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&Timestamp=1700000000\
             &Nonce=11111&RequestClient=SDK_NODEJS_0.2.1&Action=CdnPusherV2\
             &urls_0=http%3A%2F%2Fwww.test.com%2F1.jpg&a_b=1&a.a=2&note=%40x\
             &SignatureMethod=HmacSHA256\
             &Signature=%2FT63lf%2B7Acw7SP31LQXH%2FzuybW5t7rEq2pgfUPJnWIc%3D",
    },
    Vector {
        name: "V8",
        method: Method::POST,
        host: "cdn.api.qcloud.com",
        path: "/v2/index.php",
        sent: "Region=&SecretId=AKIDTESTTESTTESTTESTTESTTESTTEST0001&Timestamp=1700000000\
             &Nonce=11111&RequestClient=SDK_NODEJS_0.2.1&Action=CdnPusherV2\
             &urls.0=http%3A%2F%2Fwww.test.com%2F1.jpg&SignatureMethod=TC2-HmacSHA256\
             &Signature=H3GWYLUT7FOcbbjYupsjz3G7l5gLNjiaxIcPlbQPxQo%3D",
    },
];

fn vector(name: &str) -> &'static Vector {
    VECTORS.iter().find(|vector| vector.name == name).unwrap()
}

#[test]
fn every_vector_of_a_real_client_passes() {
    for vector in &VECTORS {
        let covered = vector.covered(vector.sent.as_bytes());
        let expected =
            if ["V4", "V7"].contains(&vector.name) { Covered::WithoutAt } else { Covered::All };
        assert_eq!(covered, Some(expected), "{}", vector.name);
    }
}

#[test]
fn another_secret_method_path_or_host_does_not_pass() {
    for vector in &VECTORS {
        let sent = vector.sent.as_bytes();
        assert_eq!(vector.covered_with(sent, vector.host, "SKTEST"), None, "{}", vector.name);
        assert_eq!(vector.covered_with(sent, "other.host", SECRET), None, "{}", vector.name);
        let other = Vector { path: "/other", method: vector.method.clone(), ..*vector };
        assert_eq!(other.covered(sent), None, "{}", vector.name);
        let method = if vector.method == Method::GET { Method::POST } else { Method::GET };
        let other = Vector { method, ..*vector };
        assert_eq!(other.covered(sent), None, "{}", vector.name);
    }
}

#[test]
fn a_host_with_a_port_may_have_been_signed_without() {
    let vector = vector("V1");
    let host = format!("{}:8443", vector.host);
    let covered = vector.covered_with(vector.sent.as_bytes(), &host, SECRET);
    assert_eq!(covered, Some(Covered::All));
}

#[test]
fn an_at_value_is_left_out_only_of_a_post_and_never_of_the_protocol() {
    let sent = |extra: &str| format!("{}&{extra}", vector("V2").sent).into_bytes();
    let v2 = vector("V2");
    assert_eq!(v2.covered(&sent("note=%40x")), Some(Covered::WithoutAt));
    assert_eq!(v2.covered(&sent("urls.2=%40x")), Some(Covered::WithoutAt));
    for common in ["Token", "Region", "Version"] {
        assert_eq!(v2.covered(&sent(&format!("{common}=%40x"))), None, "{common}");
    }
    let get = format!("{}&note=%40x", vector("V1").sent);
    assert_eq!(vector("V1").covered(get.as_bytes()), None);
}

#[test]
fn one_bit_changed_in_any_name_or_value_never_passes() {
    let mut refused = 0;
    for vector in &VECTORS {
        let sent = vector.sent.as_bytes();
        let whole = pairs::from_form(sent).unwrap();
        let seen = |pairs: Vec<Pair>| -> Vec<Pair> {
            pairs.into_iter().filter(|pair| !pair.value.starts_with('@')).collect()
        };
        for changed in every_flip(sent) {
            let Ok(pairs) = pairs::from_form(&changed) else { continue };
            // `%3a` for `%3A`, or inside of what is treated as absent
            let is_same = pairs == whole
                || (vector.covered(sent) == Some(Covered::WithoutAt)
                    && seen(pairs) == seen(whole.clone()));
            if !is_same {
                refused += 1;
                let text = String::from_utf8_lossy(&changed);
                assert_eq!(vector.covered(&changed), None, "{}: {text}", vector.name);
            }
        }
    }
    assert!(refused > 20_000, "{refused} mutations were tried");
}

#[test]
fn one_bit_changed_in_method_host_or_path_never_passes() {
    fn texts(text: &str) -> impl Iterator<Item = String> {
        every_flip(text.as_bytes()).filter_map(|flipped| String::from_utf8(flipped).ok())
    }
    for vector in &VECTORS {
        let sent = vector.sent.as_bytes();
        for host in texts(vector.host) {
            assert_eq!(vector.covered_with(sent, &host, SECRET), None, "{}: {host}", vector.name);
        }
        for path in texts(vector.path) {
            let other = Vector { path: path.leak(), method: vector.method.clone(), ..*vector };
            assert_eq!(other.covered(sent), None, "{}: {}", vector.name, other.path);
        }
        for method in texts(vector.method.as_str()).filter_map(|method| method.parse().ok()) {
            let other = Vector { method, ..*vector };
            assert_eq!(other.covered(sent), None, "{}: {}", vector.name, other.method);
        }
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
