//! Calls that real clients made, byte for byte, through the front door.

use http::Request;
use stoker_domain::time::Timestamp;

use crate::app::{App, FORM, JSON, OWNER};

const CDN: &str = "cdn.tencentcloudapi.com";
const LOOPBACK: &str = "127.0.0.1:8080";
const MULTIPART: &str = "multipart/form-data; boundary=0123456789abcdef0123456789abcdef";
const PARTS: &str = "--0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"TaskId\"\r\n\r\n15475444535871929928456\r\n\
    --0123456789abcdef0123456789abcdef\r\n\
    Content-Disposition: form-data; name=\"Area\"\r\n\r\nmainland\r\n\
    --0123456789abcdef0123456789abcdef--\r\n";
const NODE_JSON: &str = r#"{"Urls":["http://www.test.com/1 2/中_文.jpg?a=b&c=d","http://www.test.com/2.jpg"],"Area":"global","ParseM3U8":true,"Headers":[{"Name":"X_A","Value":"v_1!'()*"}]}"#;
const NODE_QUERY: &str = "Urls.0=http%3A%2F%2Fwww.test.com%2F1%202%2F%E4%B8%AD_%E6%96%87.jpg%3Fa%3Db%26c%3Dd&Urls.1=http%3A%2F%2Fwww.test.com%2F2.jpg&Area=global&ParseM3U8=true&Headers.0.Name=X_A&Headers.0.Value=v_1!%27()*";

struct Recorded {
    host: &'static str,
    service: &'static str,
    action: &'static str,
    content_type: &'static str,
    /// Absent for POST.
    query: Option<&'static str>,
    content: &'static str,
    signature: &'static str,
}

impl Recorded {
    /// The code of the answer; absent when it succeeds.
    async fn code(&self, app: &App) -> Option<String> {
        let request = Request::builder()
            .method(if self.query.is_some() { "GET" } else { "POST" })
            .uri(format!("/?{}", self.query.unwrap_or_default()))
            .header("host", self.host)
            .header("content-type", self.content_type)
            .header("x-tc-action", self.action)
            .header("x-tc-version", "2018-06-06")
            .header("x-tc-timestamp", "1700000000")
            .header(
                "authorization",
                format!(
                    "TC3-HMAC-SHA256 Credential={OWNER}/2023-11-14/{}/tc3_request, \
                     SignedHeaders=content-type;host, Signature={}",
                    self.service, self.signature
                ),
            )
            .body(self.content.into())
            .unwrap();
        let response = app.send(request).await.response();
        response["Error"]["Code"].as_str().map(Into::into)
    }
}

/// T1, posted without parameters by the Python SDK.
const T1: Recorded = Recorded {
    host: CDN,
    service: "cdn",
    action: "DescribePushQuota",
    content_type: JSON,
    query: None,
    content: "{}",
    signature: "b37274724cc73c06710526ba205265c298d64f5471667aae776bc0d955713fda",
};

#[tokio::test]
async fn python_and_tccli_pass_the_front_door() {
    let app = App::new().await;
    app.clock.jump(Timestamp::from_seconds(1_700_000_000));
    let t4 = Recorded {
        content_type: FORM,
        query: Some(""),
        content: "",
        signature: "7b0c8cdef9bf4788823c24ea10523491b94555e52121efce218138b7d4b44f41",
        ..T1
    };
    let t7 = Recorded {
        host: "http://127.0.0.1:8080",
        signature: "31f7abc17ea0c25de65e28d942eae910605416ee96447984afee0e1871a14a51",
        ..T1
    };
    let t10 = Recorded {
        action: "DescribePushTasks",
        content_type: MULTIPART,
        content: PARTS,
        signature: "c50c900f6e529e9bdc56f9ba9c402e7decb9ab5ff827c5ee9230ae7804abeeee",
        ..T1
    };
    for recorded in [T1, t4, t7, t10] {
        assert_eq!(recorded.code(&app).await, None, "{}", recorded.signature);
    }
}

#[tokio::test]
async fn node_passes_the_front_door_and_its_url_is_refused() {
    let app = App::new().await;
    app.clock.jump(Timestamp::from_seconds(1_700_000_000));
    let t11 = Recorded {
        host: LOOPBACK,
        service: "127",
        action: "PushUrlsCache",
        content: NODE_JSON,
        signature: "b8956f3e85cc8004aa6d265bd1fab4fd5f129bcf6ed82cc7ea5cc0e16c2987bc",
        ..T1
    };
    let t12 = Recorded {
        content_type: FORM,
        query: Some(NODE_QUERY),
        content: "",
        signature: "30447e4c74a5fbdb357d7b7f0c647ab1124dc56cd533fa412933f0049e62cb54",
        ..t11
    };
    // both name a URL with a space and Chinese characters, without UrlEncode
    for recorded in [t11, t12] {
        let code = recorded.code(&app).await;
        assert_eq!(code.as_deref(), Some("InvalidParameter.CdnParamError"));
    }
}
