//! What is a host, what names a domain, and which lies below which.

use super::*;

#[test]
fn a_star_stands_only_before_two_labels() {
    for name in ["a", "a.example", "127.0.0.1", "[::1]", "*.a.example", "*.example.co.uk"] {
        assert!(is_domain_name(name), "{name}");
    }
    let long = format!("*.{}.example", ["x".repeat(63).as_str(); 4].join("."));
    for name in [
        "*",
        "*.",
        "*.example",
        ".a.example",
        "*a.example",
        "*.*.a.example",
        "a.*.example",
        "a.example.*",
        "*.a.example.",
        "*..a.example",
        "*.0.0.1",
        "*.[::1]",
        "*.a.example:80",
        "*.a/b.example",
        "",
        &long,
    ] {
        assert!(!is_domain_name(name), "{name}");
    }
}

#[test]
fn a_host_name_has_no_underscore_and_no_label_with_a_dash_at_an_end() {
    for host in ["a", "a-b.example", "1.a.example", "127.0.0.1", "[::1]", "localhost", "x--y.a"] {
        assert!(is_host_name(host), "{host}");
    }
    for host in ["-a.com", "a-.com", "a.-b.com", "a.b-", "-", "a_b.com", "a._b.com", "", "a..b"] {
        assert!(!is_host_name(host), "{host}");
        assert!(!is_new_domain_name(host) && !is_new_domain_name(&format!("*.x.{host}")), "{host}");
    }
    assert!(is_new_domain_name("*.a.example") && !is_new_domain_name("*"));
}

#[test]
fn a_host_has_at_most_253_characters() {
    let of_length = |last: usize| {
        let label = "x".repeat(63);
        format!("{label}.{label}.{label}.{}", "x".repeat(last))
    };
    assert!(is_host(&of_length(61)) && of_length(61).len() == 253);
    assert!(!is_host(&of_length(62)));
    assert!(!is_host("") && !is_host(&"x".repeat(64)));
}

#[test]
fn a_host_lies_at_or_below_a_name_by_whole_labels() {
    for host in ["example.com", "a.example.com", "b.a.example.com"] {
        assert!(is_at_or_below(host, "example.com"), "{host}");
    }
    for host in [".example.com", "xexample.com", "com", "", "example.com."] {
        assert!(!is_at_or_below(host, "example.com"), "{host}");
    }
    assert!(is_at_or_below("1.2.3.4", "1.2.3.4") && !is_at_or_below("1.2.3.4", "3.4"));
}

#[test]
fn a_host_field_is_a_host_and_perhaps_a_port() {
    for text in ["a", "A.Example", "a.example:8080", "127.0.0.1:80", "[::1]", "[::1]:81", "[::]:1"]
    {
        assert!(is_host_field(text), "{text}");
    }
    for text in [
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:+80",
        "a:80:81",
        "a b",
        "a/b",
        "u@a",
        "a,b",
        "a\r\nX: 1",
        "*.a.example",
        "a..b",
        "-a",
        "a_b",
        "[::1",
        "::1",
        "[::1]x",
        "[a:80]",
        "[::1]:",
        "a#",
        "http://a",
        "a.example.",
        "\u{e9}.example",
        "a\t",
        " a",
    ] {
        assert!(!is_host_field(text), "{text:?}");
    }
}

#[test]
fn a_wildcard_covers_what_lies_below_it_at_any_depth() {
    for host in ["x.a.example", "y.x.a.example", "*.x.a.example"] {
        assert!(covers("*.a.example", host), "{host}");
    }
    for host in ["a.example", "xa.example", ".a.example", "*.a.example", "x.a.example.org"] {
        assert!(!covers("*.a.example", host), "{host}");
    }
    assert!(!covers("a.example", "x.a.example"));
}

#[test]
fn the_nearest_wildcard_comes_first() {
    let over = |host| wildcards_over(host).collect::<Vec<_>>();
    assert_eq!(over("y.x.a.example"), ["*.x.a.example", "*.a.example", "*.example"]);
    assert_eq!(over("*.x.a.example"), ["*.a.example", "*.example"]);
    assert_eq!(over("localhost"), <[String; 0]>::default());
    assert_eq!(over(".a.example"), ["*.example"], "nothing stands before the first point");
}

#[test]
fn the_port_and_a_final_dot_are_not_part_of_a_host() {
    for (given, bare) in [
        ("www.example.com", "www.example.com"),
        ("www.example.com:8080", "www.example.com"),
        ("www.example.com:", "www.example.com"),
        ("www.example.com.", "www.example.com"),
        ("www.example.com.:80", "www.example.com"),
        ("127.0.0.1:7801", "127.0.0.1"),
        ("[::1]:7801", "[::1]"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("localhost:x", "localhost:x"),
        ("", ""),
        (":80", ""),
    ] {
        assert_eq!(bare_host(given), bare, "{given}");
    }
}

#[test]
fn the_normal_form_has_no_upper_case_and_no_last_point() {
    for (given, name) in [
        ("WWW.Example.COM.", "www.example.com"),
        ("*.Example.com", "*.example.com"),
        ("a..", "a."),
        (".", ""),
        ("XN--BCHER-KVA.de", "xn--bcher-kva.de"),
    ] {
        assert_eq!(normal_name(given), name);
    }
    let long = format!("{}.com", "x".repeat(64));
    assert!(!is_new_domain_name(&normal_name(&long)) && !is_new_domain_name("bücher.de"));
}
