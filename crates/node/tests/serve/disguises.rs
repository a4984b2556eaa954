//! Private addresses in disguise, as origins and as what an origin redirects to: no connection is made
//! to any. The origin that must not be reached listens on the loopback interface.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use stoker_domain::domain::Origin;
use stoker_node::origin::Resolver;
use stoker_testkit::{VerbatimOrigin, verbatim};
use tokio::net::TcpListener;

use crate::support::Net;

/// Addresses of machines that are nobody's public host.
const PRIVATE: [Ipv4Addr; 14] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(127, 255, 255, 254),
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(172, 31, 255, 255),
    Ipv4Addr::new(192, 168, 1, 1),
    // of a cloud's machine, from within
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(198, 18, 0, 1),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(255, 255, 255, 255),
];

/// Ways to write `ip` where a host stands.
fn spellings(ip: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = ip.octets();
    let number = u32::from(ip);
    let (high, low) = (number >> 16, number & 0xffff);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{number}"),
        format!("0x{number:x}"),
        format!("0X{number:08X}"),
        format!("0{number:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        format!("{a}.{}", number & 0xff_ffff),
        format!("{a}.{b}.{c}.{d}."),
        format!("%{:02x}{}.{b}.{c}.{d}", a.to_string().as_bytes()[0], &a.to_string()[1..]),
        format!("{a}\u{3002}{b}\u{3002}{c}\u{ff0e}{d}"),
        format!("{a}.{b}.{c}.{}", wide(d)),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:x}:{low:x}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
    ]
}

/// Digits of full width, which a browser takes for digits.
fn wide(number: u8) -> String {
    number
        .to_string()
        .bytes()
        .filter_map(|b| char::from_u32(0xff10 + u32::from(b - b'0')))
        .collect()
}

/// Others, and names: those of the resolver below.
const OTHERS: [&str; 34] = [
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[febf::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[5f00::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "a.localhost",
    "private.example",
    "PRIVATE.example",
    "private.example.",
    "mixed.example",
    "mapped.example",
    "six.example",
    "metadata.google.internal",
    "127.0.0.1.nip.example",
    "xn--privat-4ya.example",
    "privat\u{e9}.example",
    "\u{24db}ocalhost",
    "loc\u{ad}alhost",
    "ｌｏｃａｌｈｏｓｔ",
    "nowhere.example",
];

fn found(host: &str) -> Vec<IpAddr> {
    let texts: &[&str] = match host.trim_end_matches('.') {
        "nowhere.example" => &[],
        "mixed.example" => &["1.1.1.1", "2606:4700::1111", "127.0.0.1"],
        "mapped.example" => &["::ffff:127.0.0.1"],
        "six.example" => &["::1"],
        "metadata.google.internal" => &["169.254.169.254"],
        _ => &["127.0.0.1"],
    };
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

fn resolver() -> Resolver {
    Arc::new(|host, port| {
        let found: Vec<_> =
            found(&host).into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Box::pin(async move {
            if found.is_empty() { Err(io::Error::other("no such host")) } else { Ok(found) }
        })
    })
}

/// Counts who comes.
async fn secret() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&came);
    stoker_testkit::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, came)
}

fn all() -> BTreeSet<String> {
    let spelled = PRIVATE.into_iter().flat_map(spellings);
    spelled.chain(OTHERS.iter().map(|host| (*host).to_owned())).collect()
}

#[tokio::test]
async fn no_disguise_leads_to_a_private_address() {
    let hosts = all();
    assert!(hosts.len() >= 300, "{}", hosts.len());
    let net = Net::configured(&Net::EDGE, |config| config.resolver = Some(resolver())).await;
    let (port, came) = secret().await;
    for (n, host) in hosts.iter().enumerate() {
        // what is no URL is refused when the domain is made
        let Ok(origin) = format!("http://{host}:{port}/").parse::<Origin>() else { continue };
        net.put_domain(|domain| domain.origin = Origin { allow_private: false, ..origin });
        let seen = net.get("edge", &format!("/{n}"), &[]).await;
        let why = seen.cache_status();
        assert_eq!(seen.status, 502, "{host}: {seen:?}");
        let is_none = host == "nowhere.example" && why.contains("origin_error:dns");
        assert!(why.contains("blocked:private-address") || is_none, "{host}: {why}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

/// The origin itself is at a private address with leave; that is no leave for where it redirects.
#[tokio::test]
async fn no_disguise_in_a_redirection_leads_to_a_private_address() {
    let hosts: Vec<String> = all().into_iter().collect();
    let (port, came) = secret().await;
    let named = hosts.clone();
    let origin = VerbatimOrigin::start(move |wanted| {
        let host = &named[wanted.path[1..].parse::<usize>().expect("a number")];
        let head = format!("302 Found\r\nLocation: http://{host}:{port}/secret");
        verbatim(&format!("{head}\r\nContent-Length: 0"), b"")
    });
    let net = Net::configured(&Net::EDGE, |config| config.resolver = Some(resolver())).await;
    net.put_domain(|domain| {
        domain.origin.port = origin.address().port();
        domain.origin.pull.follows_redirects = true;
    });
    for (n, host) in hosts.iter().enumerate() {
        let seen = net.get("edge", &format!("/{n}"), &[]).await;
        // what is no URL is handed on as it is
        assert!(matches!(seen.status, 302 | 502), "{host}: {seen:?}");
        assert!(!seen.text().contains("127.0.0.1"), "{host}: {}", seen.text());
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
    for to in ["http://1.1.1.1:22/", "http://1.1.1.1:6379/", "https://1.1.1.1:25/"] {
        let origin = VerbatimOrigin::start(move |_| {
            verbatim(&format!("307 X\r\nLocation: {to}\r\nContent-Length: 0"), b"")
        });
        net.put_domain(|domain| {
            domain.origin.port = origin.address().port();
            domain.origin.pull.follows_redirects = true;
        });
        let seen = net.get("edge", "/port", &[]).await;
        assert!(seen.cache_status().contains("blocked:port"), "{to}: {seen:?}");
    }
}

/// What a tenant reads does not tell which machine a name of the inner network is.
#[tokio::test]
async fn the_address_behind_a_private_name_is_not_told() {
    let net = Net::configured(&Net::EDGE, |config| config.resolver = Some(resolver())).await;
    for (n, host) in ["metadata.google.internal", "mixed.example", "six.example"].iter().enumerate()
    {
        net.put_domain(|domain| {
            domain.origin = Origin {
                allow_private: false,
                ..format!("http://{host}:8080").parse::<Origin>().unwrap()
            };
        });
        let url = format!("http://{}/{n}", crate::support::HOST);
        let report = net.sources["edge"].run(n as i64 + 1, &url, 0).await;
        let detail = report.detail.unwrap();
        assert!(detail.contains(&format!("`{host}` has a private address")), "{detail}");
        for address in found(host) {
            assert!(!detail.contains(&address.to_string()), "{detail}");
        }
    }
}
