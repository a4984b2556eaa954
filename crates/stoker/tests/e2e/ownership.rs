//! Proofs of ownership through each of the vendor's clients, by a second account, with a scripted name
//! server.

use serde_json::{Value, json};

use crate::{
    harness::{Client, Sdk},
    running::{Ports, Stoker, Texts, name_server},
};

const CLIENTS: [(Client, &str); 4] = [
    (Client::Python, "python"),
    (Client::International, "intl"),
    (Client::Node, "node"),
    (Client::Tccli, "tccli"),
];

#[test]
fn every_client_proves_a_domain_and_a_zone_before_it_adds_them() {
    let folder = tempfile::tempdir().unwrap();
    let texts = Texts::default();
    let server = name_server(&texts);
    let dns = server.address().to_string();
    let data = folder.path().join("data");
    let stoker = Stoker::start_with(&data, Ports::free(), &["--dns", &dns]);
    for (client, name) in CLIENTS {
        // an account may search ten times in a minute
        let made = stoker.json(&["account", "add", name]);
        let cdn = Sdk::of(&stoker).with_made(&made).with_client(client);
        let host = format!("www.{name}.com");
        let new = json!({"Domain": host, "ServiceType": "web",
            "Origin": {"Origins": ["192.0.2.1"], "OriginType": "ip"}});
        let named = json!({"Domain": host});
        let code = cdn.refused("AddCdnDomain", new.clone());
        assert_eq!(code, "UnauthorizedOperation.CdnDomainRecordNotVerified", "{cdn:?}");
        let record = cdn.accepted("CreateVerifyRecord", named.clone());
        let text = record["Record"].as_str().unwrap().to_owned();
        assert_eq!(
            (&record["SubDomain"], &record["RecordType"]),
            (&json!("_cdnauth"), &json!("TXT"))
        );
        let code = cdn.refused("VerifyDomainRecord", named.clone());
        assert_eq!(code, "UnauthorizedOperation.CdnTxtRecordValueNotMatch", "{cdn:?}");
        texts.lock().unwrap().insert(format!("_cdnauth.{name}.com"), text);
        let found = cdn.accepted("VerifyDomainRecord", named);
        assert_eq!(found["Result"], true, "{cdn:?}");
        cdn.accepted("AddCdnDomain", new);

        let teo = cdn.with_teo();
        let zone = format!("{name}.net");
        let identified = teo.accepted("IdentifyZone", json!({"ZoneName": zone}));
        let text = identified["Ascription"]["RecordValue"].as_str().unwrap().to_owned();
        let failed = teo.accepted("VerifyOwnership", json!({"Domain": zone}));
        assert_eq!(failed["Status"], "fail", "{teo:?}");
        texts.lock().unwrap().insert(format!("_cdnauth.{zone}"), text);
        let found = teo.accepted("VerifyOwnership", json!({"Domain": zone}));
        assert_eq!(found["Status"], "success", "{teo:?}: {found}");
        let filter = json!({"Filters": [{"Name": "zone-name", "Values": [zone]}]});
        let shown = teo.accepted("DescribeIdentifications", filter);
        assert_eq!(shown["Identifications"][0]["Status"], "finished", "{teo:?}: {shown}");
        let made = json!({"Type": "partial", "ZoneName": zone, "Area": "global"});
        let made = teo.accepted("CreateZone", made);
        assert_eq!(made["OwnershipVerification"], Value::Null, "{teo:?}");
        let info = json!({"OriginType": "IP_DOMAIN", "Origin": "192.0.2.1"});
        let domain = json!({"ZoneId": made["ZoneId"], "DomainName": format!("a.{zone}"),
            "OriginInfo": info});
        teo.accepted("CreateAccelerationDomain", domain);
        // nor may the owner have what lies below
        let below = json!({"Domain": format!("b.{zone}"), "ServiceType": "web",
            "Origin": {"Origins": ["192.0.2.1"], "OriginType": "ip"}});
        let code = Sdk::of(&stoker).with_client(client).refused("AddCdnDomain", below);
        assert_eq!(code, "ResourceInUse.CdnConflictHostExists", "{teo:?}");
    }
}
