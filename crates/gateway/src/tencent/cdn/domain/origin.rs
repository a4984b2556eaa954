//! The setting `Origin`: the servers that are asked; and an origin as that setting.

use std::{
    iter,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde_json::{Map, Value, json};
use stoker_domain::domain::{Origin, Scheme, Server};

use super::{error::Error, pull, rule::Rule};
use crate::request_fields;

/// Largest weight of an origin.
const MOST_WEIGHT: u32 = 100;

/// The origin that the settings stand for, and how it is asked; private addresses are refused.
pub(super) fn read(settings: &Map<String, Value>) -> Result<Origin, Error> {
    let origin = settings.get("Origin").unwrap_or(&Value::Null);
    let text = |field: &str| origin[field].as_str().filter(|text| !text.is_empty());
    let scheme = match text("OriginPullProtocol").unwrap_or("http") {
        // `follow`: what is stored is for both schemes, so it must not depend on who asked first
        "http" | "follow" => Scheme::Http,
        "https" => Scheme::Https,
        other => {
            let expected = &["http", "follow", "https"];
            return Err(
                Rule::Word { name: "OriginPullProtocol", given: other.into(), expected }.into()
            );
        }
    };
    let mut others = servers("Origins", &origin["Origins"], scheme)?;
    if others.is_empty() {
        return Err(Rule::NoOrigin.into());
    }
    let first = others.remove(0);
    let base = text("BasePath").unwrap_or_default();
    let url = format!("{}://{}:{}{base}", scheme.as_str(), first.host, first.port);
    let mut read: Origin = url.parse().map_err(|_| not_a_server("BasePath", base))?;
    read.weight = first.weight;
    read.others = others;
    read.backups = servers("BackupOrigins", &origin["BackupOrigins"], scheme)?;
    for (name, place) in
        [("ServerName", &mut read.host_header), ("BackupServerName", &mut read.backup_host_header)]
    {
        // a wildcard's own name, as it is answered: its hosts go by theirs
        if let Some(host) = text(name).filter(|host| !host.starts_with("*.")) {
            request_fields::check_host(name, host)?;
            *place = Some(host.into());
        }
    }
    read.pull = pull::read(settings)?;
    Ok(read)
}

fn servers(name: &'static str, list: &Value, scheme: Scheme) -> Result<Vec<Server>, Rule> {
    let texts = list.as_array().into_iter().flatten();
    let server = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        server(text, scheme).ok_or_else(|| not_a_server(name, text))
    };
    texts.map(server).collect()
}

/// `IP`, `IP:port`, `IP:port:weight`, and the same with a name or an IPv6 address.
fn server(text: &str, scheme: Scheme) -> Option<Server> {
    let (host, rest) = match text.parse::<Ipv6Addr>() {
        Ok(ip) => (format!("[{ip}]"), ""),
        Err(_) => {
            let end = text.find(']').map_or(0, |end| end + 1);
            let (host, rest) =
                text.split_at(end + text[end..].find(':').unwrap_or(text.len() - end));
            (host.into(), rest)
        }
    };
    let mut rest = rest.split(':').skip(1);
    let port = rest.next().map_or(Some(scheme.default_port()), |port| port.parse().ok())?;
    let weight = rest.next().map_or(Some(1), |weight| weight.parse().ok())?;
    let is_whole = rest.next().is_none() && (1..=MOST_WEIGHT).contains(&weight);
    if !is_whole || host.contains(['/', '@', '?', '#']) {
        return None;
    }
    // whatever makes a URL of it is a host, in its usual form
    let url: Origin = format!("{}://{host}:{port}", scheme.as_str()).parse().ok()?;
    Some(Server { host: url.host, port, weight })
}

/// `origin` of the domain `host` as the setting `Origin`.
pub(super) fn write(origin: &Origin, host: &str) -> Value {
    let first = Server { host: origin.host.clone(), port: origin.port, weight: origin.weight };
    let has_weights = !origin.others.is_empty();
    let text = |server: &Server| match has_weights {
        true => format!("{}:{}:{}", server.host, server.port, server.weight),
        false => format!("{}:{}", server.host, server.port),
    };
    let kind = |servers: &[&Server]| {
        let are_ip = servers.iter().all(|server| server.host.parse::<Ipv4Addr>().is_ok());
        if are_ip { "ip" } else { "domain" }
    };
    let all: Vec<&Server> = iter::once(&first).chain(&origin.others).collect();
    let mut setting = json!({
        "Origins": all.iter().map(|server| text(server)).collect::<Vec<_>>(),
        "OriginType": kind(&all),
        "ServerName": origin.host_header.as_deref().unwrap_or(host),
        "OriginPullProtocol": origin.scheme.as_str(),
        "BasePath": origin.base_path,
    });
    if !origin.backups.is_empty() {
        let backups: Vec<&Server> = origin.backups.iter().collect();
        let texts = backups.iter().map(|server| format!("{}:{}", server.host, server.port));
        setting["BackupOrigins"] = texts.collect::<Vec<_>>().into();
        setting["BackupOriginType"] = kind(&backups).into();
        setting["BackupServerName"] = origin.backup_host_header.clone().into();
    }
    setting
}

fn not_a_server(name: &'static str, text: &str) -> Rule {
    Rule::NotAServer { name, given: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(origin: Value) -> Option<Origin> {
        read(json!({ "Origin": origin }).as_object().unwrap()).ok()
    }

    #[test]
    fn every_form_of_an_origin_is_read() {
        for (text, expected) in [
            ("192.0.2.1", Some("https://192.0.2.1")),
            ("192.0.2.1:8443", Some("https://192.0.2.1:8443")),
            ("192.0.2.1:8443:100", Some("https://192.0.2.1:8443")),
            ("o.example.com", Some("https://o.example.com")),
            ("2001:db8::1", Some("https://[2001:db8::1]")),
            ("[2001:db8::1]:81:5", Some("https://[2001:db8::1]:81")),
            ("", None),
            (":80", None),
            ("a:b", None),
            ("a:1:2:3", None),
            ("a:1:0", None),
            ("a:1:101", None),
            ("a/b", None),
            ("u@a", None),
        ] {
            let settings = json!({ "Origins": [text], "OriginPullProtocol": "https" });
            let read = read_of(settings).map(|origin| origin.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
            let settings = json!({ "Origins": ["a"], "BackupOrigins": [text] });
            assert_eq!(read_of(settings).is_some(), expected.is_some(), "{text}");
        }
    }

    #[test]
    fn all_origins_are_read_with_their_weights() {
        let settings = json!({
            "Origins": ["192.0.2.1:81:30", "O.example.com", "192.0.2.3:82"],
            "BackupOrigins": ["192.0.2.9"],
            "ServerName": "o.example", "BackupServerName": "b.example",
        });
        let origin = read_of(settings).unwrap();
        let shown: Vec<_> = origin
            .others
            .iter()
            .chain(&origin.backups)
            .map(|server| (server.host.as_str(), server.port, server.weight))
            .collect();
        let expected = [("o.example.com", 80, 1), ("192.0.2.3", 82, 1), ("192.0.2.9", 80, 1)];
        assert_eq!(shown, expected);
        assert_eq!((origin.to_string().as_str(), origin.weight), ("http://192.0.2.1:81", 30));
        assert_eq!(origin.backup_host_header.as_deref(), Some("b.example"));
        assert_eq!(read_of(write(&origin, "www.example.com")), Some(origin));
    }
}
