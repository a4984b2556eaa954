//! What somebody may try through each action of the vendor's on what belongs to another account.

use super::Expected::{self, Empty, Own, Refused, Told};

/// One attempt: the version, the action, its parameters (for `v2` as a form), and what becomes of it.
pub(crate) type Attempt = (&'static str, &'static str, &'static str, Expected);

pub(crate) const CDN: &str = "2018-06-06";
pub(crate) const TEO: &str = "2022-09-01";
pub(crate) const OLD: &str = "v2";

/// All attempts. `ORIGIN` is an origin of `cdn`, `INFO` one of `teo`, `RANGE` and `DAYS` a time that
/// holds all there is.
pub(crate) fn attempts() -> Vec<(&'static str, &'static str, String, Expected)> {
    let filled = |(version, action, params, expected): Attempt| {
        let params = params
            .replace("ORIGIN", r#""Origin":{"OriginType":"ip","Origins":["192.0.2.1"]}"#)
            .replace("INFO", r#""OriginInfo":{"OriginType":"IP_DOMAIN","Origin":"192.0.2.1"}"#)
            .replace(
                "RANGE",
                r#""StartTime":"2025-06-15 00:00:00","EndTime":"2025-06-16 00:00:00""#,
            )
            .replace(
                "DAYS",
                r#""StartTime":"2025-06-15T00:00:00Z","EndTime":"2025-06-16T00:00:00Z""#,
            );
        (version, action, params, expected)
    };
    [NEWER, ZONES, OLDER].concat().into_iter().map(filled).collect()
}

const NEWER: &[Attempt] = &[
    (CDN, "PushUrlsCache", r#"{"Urls":["http://{host}/a"]}"#, Refused),
    (CDN, "PushUrlsCache", r#"{"Urls":["http://own.example/a","http://{host}/a"]}"#, Refused),
    (CDN, "DescribePushTasks", r#"{"TaskId":"{task}"}"#, Empty),
    (CDN, "DescribePushTasks", r#"{RANGE}"#, Empty),
    (CDN, "DescribePushTasks", r#"{RANGE,"Keyword":"{host}"}"#, Empty),
    (CDN, "DescribePushTasks", r#"{RANGE,"Keyword":"http://{host}/hidden"}"#, Empty),
    (CDN, "DescribePushQuota", "{}", Empty),
    (CDN, "AddCdnDomain", r#"{"Domain":"{host}","ServiceType":"web",ORIGIN}"#, Told),
    (CDN, "UpdateDomainConfig", r#"{"Domain":"{host}",ORIGIN}"#, Refused),
    (CDN, "DescribeDomains", "{}", Empty),
    (CDN, "DescribeDomains", r#"{"Filters":[{"Name":"domain","Value":["{host}"]}]}"#, Empty),
    (CDN, "DescribeDomainsConfig", "{}", Empty),
    (CDN, "DescribeDomainsConfig", r#"{"Filters":[{"Name":"domain","Value":["{host}"]}]}"#, Empty),
    (CDN, "StartCdnDomain", r#"{"Domain":"{host}"}"#, Refused),
    (CDN, "StopCdnDomain", r#"{"Domain":"{host}"}"#, Refused),
    (CDN, "DeleteCdnDomain", r#"{"Domain":"{host}"}"#, Refused),
    (CDN, "CreateVerifyRecord", r#"{"Domain":"www.new.com"}"#, Own),
    // the record that is there is of the other account
    (CDN, "VerifyDomainRecord", r#"{"Domain":"{site}"}"#, Refused),
    (CDN, "PurgeUrlsCache", r#"{"Urls":["http://{host}/a"]}"#, Refused),
    (CDN, "PurgePathCache", r#"{"Paths":["http://{host}/"],"FlushType":"flush"}"#, Refused),
    (CDN, "DescribePurgeTasks", r#"{"TaskId":"{purge}"}"#, Empty),
    (CDN, "DescribePurgeTasks", r#"{RANGE}"#, Empty),
    (CDN, "DescribePurgeTasks", r#"{RANGE,"Keyword":"{host}"}"#, Empty),
    (CDN, "DescribePurgeQuota", "{}", Empty),
];

const ZONES: &[Attempt] = &[
    (TEO, "CreatePrefetchTask", r#"{"ZoneId":"{zone}","Targets":["http://{host}/a"]}"#, Refused),
    (TEO, "CreatePrefetchTask", r#"{"ZoneId":"*","Targets":["http://{host}/a"]}"#, Refused),
    (
        TEO,
        "CreatePrefetchTask",
        r#"{"ZoneId":"{own_zone}","Targets":["http://{host}/a"]}"#,
        Refused,
    ),
    (TEO, "DescribePrefetchTasks", r#"{"ZoneId":"{zone}",DAYS}"#, Empty),
    (TEO, "DescribePrefetchTasks", r#"{DAYS}"#, Empty),
    (TEO, "DescribePrefetchTasks", r#"{"Filters":[{"Name":"job-id","Values":["{task}"]}]}"#, Empty),
    (
        TEO,
        "DescribePrefetchTasks",
        r#"{DAYS,"Filters":[{"Name":"domains","Values":["{host}"]}]}"#,
        Empty,
    ),
    (
        TEO,
        "CreatePurgeTask",
        r#"{"ZoneId":"{zone}","Type":"purge_url","Targets":["http://{host}/a"]}"#,
        Refused,
    ),
    (TEO, "CreatePurgeTask", r#"{"ZoneId":"{zone}","Type":"purge_all"}"#, Refused),
    (TEO, "CreatePurgeTask", r#"{"ZoneId":"*","Type":"purge_host","Targets":["{host}"]}"#, Refused),
    (
        TEO,
        "CreatePurgeTask",
        r#"{"ZoneId":"{own_zone}","Type":"purge_prefix","Targets":["http://{host}/"]}"#,
        Refused,
    ),
    (
        TEO,
        "CreatePurgeTask",
        r#"{"ZoneId":"{own_zone}","Type":"purge_cache_tag","Targets":["t"],"CacheTag":{"Domains":["{host}"]}}"#,
        Refused,
    ),
    (TEO, "DescribePurgeTasks", r#"{"ZoneId":"{zone}",DAYS}"#, Empty),
    (TEO, "DescribePurgeTasks", r#"{DAYS}"#, Empty),
    (TEO, "DescribePurgeTasks", r#"{"Filters":[{"Name":"job-id","Values":["{purge}"]}]}"#, Empty),
    (TEO, "DescribeContentQuota", r#"{"ZoneId":"{zone}"}"#, Refused),
    (
        TEO,
        "ModifyPrefetchOriginLimit",
        r#"{"ZoneId":"{zone}","DomainName":"{host}","Area":"Overseas","Bandwidth":100,"Enabled":"on"}"#,
        Refused,
    ),
    (
        TEO,
        "ModifyPrefetchOriginLimit",
        r#"{"ZoneId":"{own_zone}","DomainName":"{host}","Area":"Overseas","Bandwidth":100,"Enabled":"on"}"#,
        Refused,
    ),
    (TEO, "DescribePrefetchOriginLimit", r#"{"ZoneId":"{zone}"}"#, Refused),
    (TEO, "CreateZone", r#"{"ZoneName":"{zone_name}"}"#, Own),
    (TEO, "DescribeZones", "{}", Empty),
    (TEO, "IdentifyZone", r#"{"ZoneName":"new.com"}"#, Own),
    (TEO, "VerifyOwnership", r#"{"Domain":"new.com"}"#, Empty),
    (TEO, "DescribeIdentifications", "{}", Empty),
    (TEO, "DescribeZones", r#"{"Filters":[{"Name":"zone-id","Values":["{zone}"]}]}"#, Empty),
    (TEO, "DeleteZone", r#"{"ZoneId":"{zone}"}"#, Refused),
    (TEO, "DeleteZone", r#"{"ZoneId":"{empty_zone}"}"#, Refused),
    (
        TEO,
        "CreateAccelerationDomain",
        r#"{"ZoneId":"{zone}","DomainName":"new.example",INFO}"#,
        Refused,
    ),
    (
        TEO,
        "CreateAccelerationDomain",
        r#"{"ZoneId":"{open_zone}","DomainName":"{host}",INFO}"#,
        Told,
    ),
    (TEO, "DescribeAccelerationDomains", r#"{"ZoneId":"{zone}"}"#, Refused),
    (
        TEO,
        "DescribeAccelerationDomains",
        r#"{"ZoneId":"{own_zone}","Filters":[{"Name":"domain-name","Values":["{host}"]}]}"#,
        Empty,
    ),
    (TEO, "ModifyAccelerationDomain", r#"{"ZoneId":"{zone}","DomainName":"{host}",INFO}"#, Refused),
    (
        TEO,
        "ModifyAccelerationDomain",
        r#"{"ZoneId":"{own_zone}","DomainName":"{host}",INFO}"#,
        Refused,
    ),
    (
        TEO,
        "ModifyAccelerationDomainStatuses",
        r#"{"ZoneId":"{zone}","DomainNames":["{host}"],"Status":"offline"}"#,
        Refused,
    ),
    (
        TEO,
        "ModifyAccelerationDomainStatuses",
        r#"{"ZoneId":"{own_zone}","DomainNames":["{host}"],"Status":"offline"}"#,
        Refused,
    ),
    (TEO, "DeleteAccelerationDomains", r#"{"ZoneId":"{zone}","DomainNames":["{host}"]}"#, Refused),
    (
        TEO,
        "DeleteAccelerationDomains",
        r#"{"ZoneId":"{own_zone}","DomainNames":["{host}"]}"#,
        Refused,
    ),
];

const OLDER: &[Attempt] = &[
    (OLD, "CdnPusherV2", "urls.0=http://{host}/a", Refused),
    (OLD, "CdnOverseaPushser", "urls.0=http://{host}/a", Refused),
    (OLD, "CdnUrlPusher", "urls.0=http://{host}/a", Refused),
    (
        OLD,
        "FlushOrPushOverall",
        "command=push&type=url&mainland=1&oversea=1&urls.0=http://{host}/a",
        Refused,
    ),
    (OLD, "FlushOrPushOverall", "command=flush&type=dir&mainland=1&urls.0=http://{host}/", Refused),
    (OLD, "GetPushLogs", "startDate=2025-06-15 00:00:00&endDate=2025-06-16 00:00:00", Empty),
    (OLD, "GetPushLogs", "taskId={task}", Refused),
    (
        OLD,
        "GetPushLogs",
        "startDate=2025-06-15 00:00:00&endDate=2025-06-16 00:00:00&hosts.0={host}",
        Empty,
    ),
    (OLD, "GetCdnOverseaPushLogs", "date=2025-06-15&type=task&keyword={host}", Empty),
    (OLD, "GetCdnOverseaPushLogs", "date=2025-06-15&type=url&keyword={host}", Empty),
    (OLD, "GetFlushQuota", "", Empty),
    (OLD, "RefreshCdnUrl", "urls.0=http://{host}/a", Refused),
    (OLD, "RefreshCdnOverSeaUrl", "urls.0=http://{host}/a", Refused),
    (OLD, "RefreshCdnDir", "dirs.0=http://{host}/", Refused),
    (OLD, "RefreshCdnOverSeaDir", "dirs.0=http://{host}/", Refused),
    (OLD, "GetCdnRefreshLog", "taskId={purge}", Refused),
    (
        OLD,
        "GetCdnRefreshLog",
        "startDate=2025-06-15 00:00:00&endDate=2025-06-16 00:00:00&host={host}",
        Empty,
    ),
];
