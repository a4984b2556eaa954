//! Replies, good and bad, byte for byte.

use super::*;

const NAME: &str = "_cdnauth.example.com";
const ID: u16 = 0x1234;

/// A reply's head, and the question.
fn head(flags: u16, answers: u16) -> Vec<u8> {
    let mut message = query(ID, NAME, Kind::Txt).unwrap();
    message.truncate(message.len() - 11);
    message[2..4].copy_from_slice(&flags.to_be_bytes());
    message[6..8].copy_from_slice(&answers.to_be_bytes());
    message[10..12].copy_from_slice(&[0, 0]);
    message
}

/// A record of the name that the question has.
fn record(code: u16, class: u16, data: &[u8]) -> Vec<u8> {
    of(&[0xc0, 12], code, class, data)
}

fn of(name: &[u8], code: u16, class: u16, data: &[u8]) -> Vec<u8> {
    let mut record = name.to_vec();
    record.extend_from_slice(&code.to_be_bytes());
    record.extend_from_slice(&class.to_be_bytes());
    record.extend_from_slice(&[0, 0, 0, 60]);
    record.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    record.extend_from_slice(data);
    record
}

fn name(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for label in text.split('.') {
        name.push(u8::try_from(label.len()).unwrap());
        name.extend_from_slice(label.as_bytes());
    }
    name.push(0);
    name
}

fn reply(records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = head(0x8180, u16::try_from(records.len()).unwrap());
    records.iter().for_each(|record| message.extend_from_slice(record));
    message
}

fn read_txt(message: &[u8]) -> Result<Reply, Unread> {
    read(message, ID, NAME, Kind::Txt)
}

fn texts(texts: &[&str]) -> Result<Reply, Unread> {
    Ok(Reply::Records(texts.iter().map(|text| text.as_bytes().to_vec()).collect()))
}

#[test]
fn a_question_has_its_name_and_the_size_that_may_be_answered() {
    let message = query(ID, "a.bc", Kind::A).unwrap();
    let expected = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x01a\x02bc\0\0\x01\0\x01\
                     \0\0\x29\x04\xd0\0\0\0\0\0\0";
    assert_eq!(message, expected);
    let long = ["x".repeat(63).as_str(); 4].join(".");
    for name in ["", "a..b", ".a", "a.", &"x".repeat(64), &long] {
        assert_eq!(query(ID, name, Kind::A), None, "{name}");
    }
}

#[test]
fn a_name_of_255_bytes_and_a_label_of_63_are_the_longest() {
    let label = "x".repeat(63);
    let of_length = |last: usize| format!("{label}.{label}.{label}.{}", "x".repeat(last));
    assert!(query(ID, &of_length(61), Kind::A).is_some());
    assert_eq!(query(ID, &of_length(62), Kind::A), None);
    // as an alias, whose target has the data
    let through = |target: &str| {
        let target = name(target);
        read_txt(&reply(&[record(5, 1, &target), of(&target, 16, 1, b"\x02ok")]))
    };
    assert_eq!(through(&of_length(61)), texts(&["ok"]));
    assert_eq!(through(&of_length(62)), Err(Unread::Malformed));
    let kind_01 = [&[0x41][..], &[b'a'; 0x41], &[0]].concat();
    assert_eq!(read_txt(&reply(&[of(&kind_01, 16, 1, b"\x02ok")])), Err(Unread::Malformed));
}

#[test]
fn data_of_a_name_counts_before_its_alias() {
    let target = name("target.net");
    let records =
        [record(5, 1, &target), record(16, 1, b"\x03own"), of(&target, 16, 1, b"\x05other")];
    assert_eq!(read_txt(&reply(&records)), texts(&["own"]));
}

#[test]
fn texts_are_joined_from_their_strings_and_other_records_are_left_out() {
    let message = reply(&[
        record(16, 1, b"\x03one\x00\x04-two"),
        record(16, 3, b"\x05chaos"),
        record(1, 1, &[127, 0, 0, 1]),
        of(&name("other.example.com"), 16, 1, b"\x05other"),
        of(&name("_CDNAUTH.Example.Com"), 16, 1, b"\x05upper"),
        record(16, 1, b""),
    ]);
    assert_eq!(read_txt(&message), texts(&["one-two", "upper", ""]));
}

#[test]
fn aliases_are_followed_and_loops_end() {
    let target = name("target.net");
    let both = [record(5, 1, &target), of(&target, 16, 1, b"\x02ok")];
    assert_eq!(read_txt(&reply(&both)), texts(&["ok"]));
    let other_order = [both[1].clone(), both[0].clone()];
    assert_eq!(read_txt(&reply(&other_order)), texts(&["ok"]));
    assert_eq!(read_txt(&reply(&both[..1])), texts(&[]), "an alias that leads to nothing");
    let back = of(&target, 5, 1, &name(NAME));
    assert_eq!(read_txt(&reply(&[both[0].clone(), back])), Err(Unread::Malformed));
    assert_eq!(read_txt(&reply(&[record(5, 1, &name(NAME))])), Err(Unread::Malformed));
    let chain = |length: usize| {
        let mut records = vec![record(5, 1, &name("n1.net"))];
        for number in 1..length {
            let next = name(&format!("n{}.net", number + 1));
            records.push(of(&name(&format!("n{number}.net")), 5, 1, &next));
        }
        records.push(of(&name(&format!("n{length}.net")), 16, 1, b"\x02ok"));
        read_txt(&reply(&records))
    };
    assert_eq!(chain(8), texts(&["ok"]));
    assert_eq!(chain(9), Err(Unread::Malformed));
}

#[test]
fn what_is_no_reply_to_the_question_is_foreign() {
    let good = reply(&[record(16, 1, b"\x02ok")]);
    let changed = |at: usize, to: u8| {
        let mut message = good.clone();
        message[at] = to;
        read_txt(&message)
    };
    assert_eq!(read_txt(&good), texts(&["ok"]));
    for (at, to) in [(1, 0x35), (2, 0x01), (2, 0xa9), (5, 0), (5, 2), (14, b'x'), (34, 1), (36, 3)]
    {
        assert_eq!(changed(at, to), Err(Unread::Foreign), "{at}");
    }
    for end in 0..37 {
        assert_eq!(read_txt(&good[..end]), Err(Unread::Foreign), "{end}");
    }
    assert_eq!(read(&good, ID, NAME, Kind::A), Err(Unread::Foreign));
    assert_eq!(read(&good, ID, "example.com", Kind::Txt), Err(Unread::Foreign));
}

#[test]
fn a_reply_that_ends_early_or_lies_is_malformed() {
    let good = reply(&[record(16, 1, b"\x02ok")]);
    for end in 38..good.len() {
        assert_eq!(read_txt(&good[..end]), Err(Unread::Malformed), "{end}");
    }
    let mut more = good;
    more[7] = 0xff;
    more[6] = 0xff;
    assert_eq!(read_txt(&more), Err(Unread::Malformed), "65,535 records are promised");
    for (what, record) in [
        ("a string that is longer than its record", record(16, 1, b"\x09ok")),
        ("a pointer to itself", of(&[0xc0, 38], 16, 1, b"\x02ok")),
        ("a pointer forwards", of(&[0xc0, 60], 16, 1, b"\x02ok")),
        ("a pointer that leads round", of(&[1, b'a', 0xc0, 38], 16, 1, b"\x02ok")),
        ("a label of the kind 01", of(&[0x41, b'a', 0], 16, 1, b"\x02ok")),
        ("a point in a label", of(&[3, b'a', b'.', b'b', 0], 16, 1, b"\x02ok")),
        ("a name of 256 bytes", of(&name(&["x".repeat(63).as_str(); 4].join(".")), 16, 1, b"")),
    ] {
        assert_eq!(read_txt(&reply(&[record])), Err(Unread::Malformed), "{what}");
    }
    let address = |kind: Kind, data: &[u8]| {
        let mut message = reply(&[record(kind.code(), 1, data)]);
        message[35] = u8::try_from(kind.code()).unwrap();
        read(&message, ID, NAME, kind)
    };
    let found = |data: &[u8]| Ok(Reply::Records(vec![data.to_vec()]));
    assert_eq!(address(Kind::A, &[1, 2, 3, 4]), found(&[1, 2, 3, 4]));
    assert_eq!(address(Kind::Aaaa, &[7; 16]), found(&[7; 16]));
    assert_eq!(address(Kind::A, &[7; 16]), Err(Unread::Malformed));
    assert_eq!(address(Kind::Aaaa, &[7; 4]), Err(Unread::Malformed));
}

#[test]
fn codes_are_told_apart() {
    assert_eq!(read_txt(&head(0x8183, 0)), texts(&[]), "no such name");
    assert_eq!(read_txt(&head(0x8180, 0)), texts(&[]), "no such record");
    assert_eq!(read_txt(&head(0x8182, 0)), Err(Unread::Refused(2)));
    assert_eq!(read_txt(&head(0x8185, 0)), Err(Unread::Refused(5)));
    assert_eq!(read_txt(&head(0x8380, 0)), Ok(Reply::Truncated));
    // a server that does not understand the question may leave it out
    assert_eq!(read_txt(b"\x12\x34\x81\x81\0\0\0\0\0\0\0\0"), Err(Unread::Refused(1)));
}
