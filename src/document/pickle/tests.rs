//! Pickles by hand: what every opcode does, and what nothing that Python writes would show.

use proptest::prelude::*;

use super::*;
use crate::document::{MAX_NESTING, MAX_VALUES};

/// The value that this pickle puts under the key `a`.
fn read(pickle: impl AsRef<[u8]>) -> Result<String, Refusal> {
    let json = decode(&[b"}X\x01\0\0\0a", pickle.as_ref(), b"s."].concat())?.to_json();
    Ok(json.strip_prefix(r#"{"a": "#).and_then(|json| json.strip_suffix('}')).unwrap().to_owned())
}

fn refusal(pickle: impl AsRef<[u8]>) -> Reason {
    read(pickle).unwrap_err().0
}

fn malformed(pickle: impl AsRef<[u8]>) -> String {
    match refusal(pickle) {
        Reason::Malformed(what) => what,
        other => panic!("{other}"),
    }
}

#[test]
fn every_scalar_is_what_it_stands_for() {
    let texts: [(&[u8], &str); 7] = [
        (b"Vcaf\xe9 \\u2603 \\U0001f600\n", "\"café ☃ 😀\""),
        (b"V\\u005cu0041 \\\\u0041 \\x\n", r#""\\u0041 \\\\u0041 \\x""#),
        (b"X\x02\0\0\0\xc3\xa9", "\"é\""),
        (b"\x8c\x01b", "\"b\""),
        (b"\x8d\x01\0\0\0\0\0\0\0b", "\"b\""),
        (b"C\x01\xff", r#"{"$base64": "/w=="}"#),
        (b"\x96\x01\0\0\0\0\0\0\0\xff", r#"{"$base64": "/w=="}"#),
    ];
    let numbers: [(&[u8], &str); 14] = [
        (b"N", "null"),
        (b"\x88", "true"),
        (b"I00\n", "false"),
        (b"I01\n", "true"),
        (b"I-1\n", "-1"),
        (b"L12345678901234567890L\n", "12345678901234567890"),
        (b"J\xfe\xff\xff\xff", "-2"),
        (b"K\xff", "255"),
        (b"M\0\x01", "256"),
        (b"\x8a\x01\x80", "-128"),
        (b"\x8a\0", "0"),
        (b"\x8b\x02\0\0\0\0\x80", "-32768"),
        (b"F1e-7\n", "1e-07"),
        (b"G\xbf\xf8\0\0\0\0\0\0", "-1.5"),
    ];
    for (pickle, json) in texts.into_iter().chain(numbers) {
        assert_eq!(read(pickle).as_deref(), Ok(json), "{}", String::from_utf8_lossy(pickle));
    }
}

#[test]
fn every_collection_takes_its_values_from_the_stack() {
    let cases: [(&[u8], &str); 14] = [
        (b"]", "[]"),
        (b"(K\x01K\x02l", "[1, 2]"),
        (b"]K\x01a", "[1]"),
        (b"](K\x01K\x02e", "[1, 2]"),
        (b")", "[]"),
        (b"K\x01\x85", "[1]"),
        (b"K\x01K\x02\x86", "[1, 2]"),
        (b"K\x01K\x02K\x03\x87", "[1, 2, 3]"),
        (b"(K\x01t", "[1]"),
        (b"\x8f(K\x01\x90", "[1]"),
        (b"(K\x01\x91", "[1]"),
        (b"(K\x01Nd", r#"{"1": null}"#),
        (b"}NNs", r#"{"null": null}"#),
        (b"}(\x88NG?\xe0\0\0\0\0\0\0Nu", r#"{"true": null, "0.5": null}"#),
    ];
    for (pickle, json) in cases {
        assert_eq!(read(pickle).as_deref(), Ok(json), "{}", String::from_utf8_lossy(pickle));
    }
}

#[test]
fn the_memo_and_the_stack_give_back_what_they_were_given() {
    let cases: [(&[u8], &str); 8] = [
        (b"(K\x01p7\ng7\nl", "[1, 1]"),
        (b"(K\x01q\x07h\x07l", "[1, 1]"),
        (b"(K\x01r\xff\xff\xff\xffj\xff\xff\xff\xffl", "[1, 1]"),
        (b"(K\x01\x94K\x02\x94h\x00h\x01l", "[1, 2, 1, 2]"),
        (b"(K\x012l", "[1, 1]"),
        (b"K\x01N0", "1"),
        (b"K\x01(NN1", "1"),
        (b"K\x01(0", "1"),
    ];
    for (pickle, json) in cases {
        assert_eq!(read(pickle).as_deref(), Ok(json), "{}", String::from_utf8_lossy(pickle));
    }
    // What is added later is in all places, as in Python.
    assert_eq!(read(b"(]q\0h\0K\x01al").as_deref(), Ok("[[1], [1]]"));
    assert_eq!(malformed(b"h\x09"), "the memo has no value 9");
    assert_eq!(malformed(b"gx\n"), "`x` is no place in the memo");
}

#[test]
fn every_opcode_that_would_run_something_is_refused_by_name() {
    let cases: [(&[u8], &str); 15] = [
        (b"cos\nsystem\n", "GLOBAL would import os.system"),
        (b"VosVsystem", "ends in the middle"),
        (b"\x8c\x02os\x8c\x06system\x93", "STACK_GLOBAL would import os.system"),
        (b"K\x01\x93", "STACK_GLOBAL would import a.?"),
        (b"(ios\nsystem\n", "INST would import and call os.system"),
        (b"(No", "OBJ would call"),
        (b"N)R", "REDUCE would call"),
        (b"NNb", "BUILD would set"),
        (b"N)\x81", "NEWOBJ would create"),
        (b"N)}\x92", "NEWOBJ_EX would create"),
        (b"\x82\x01", "EXT1 would import"),
        (b"Px\n", "PERSID would fetch"),
        (b"NQ", "BINPERSID would fetch"),
        (b"\x97", "NEXT_BUFFER would take"),
        (b"U\x01a", "SHORT_BINSTRING is a string of Python 2"),
    ];
    for (pickle, words) in cases {
        let said = refusal(pickle).to_string();
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(malformed(b"\xff"), "no pickle has an opcode 0xff");
    let (_, at) = read(b"cos\nsystem\n").unwrap_err();
    assert_eq!(at, Some(7));
}

#[test]
fn lengths_are_checked_before_anything_is_taken() {
    let there = "of which 2 are there";
    assert_eq!(malformed(b"\x8e\0\0\0\0\0\0\0\x80"), format!("a length of 9223372036854775808 bytes, {there}"));
    assert_eq!(malformed(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), format!("a length of {} bytes, {there}", u64::MAX));
    assert_eq!(malformed(b"\x96\0\0\0\0\0\0\0\x80"), format!("a length of 9223372036854775808 bytes, {there}"));
    assert_eq!(malformed(b"\x8b\xff\xff\xff\xff"), format!("a length of -1 bytes, {there}"));
    assert_eq!(malformed(b"X\xff\xff\xff\xff"), format!("a length of 4294967295 bytes, {there}"));
    assert_eq!(malformed(b"\x95\0\0\0\0\0\0\0\x80"), format!("a frame of 9223372036854775808 bytes, {there}"));
    assert_eq!(refusal([b"\x8b\0\x01\0\0".as_slice(), &[0x11; 256]].concat()), Reason::TooManyDigits);
}

#[test]
fn what_the_stack_does_not_have_cannot_be_taken() {
    let too_little = "an opcode needs more values than there are";
    for pickle in [&b"(a"[..], b"(\x85", b"N(2", b"(0(p1\n", b"000000"] {
        assert!(matches!(refusal(pickle), Reason::Malformed(_)), "{}", String::from_utf8_lossy(pickle));
    }
    assert_eq!(malformed(b"K\x01(\x86"), too_little);
    assert_eq!(malformed(b"t"), "an opcode needs a MARK, and none is open");
    assert_eq!(malformed(b"}(Nu"), "a key without a value");
    assert_eq!(malformed(b")Na"), "items are added to a tuple");
    assert_eq!(malformed(b"](N\x90"), "items are added to a list");
    assert_eq!(malformed(b"]NNs"), "keys are added to a list");
    assert_eq!(decode(b"N}.").unwrap_err().0, Reason::malformed("the pickle ends with values left over"));
    assert_eq!(decode(b"(}.").unwrap_err().0, Reason::malformed("the pickle ends with values left over"));
    assert_eq!(decode(b"}.N").unwrap_err().0, Reason::malformed("1 bytes after the end of the pickle"));
    assert_eq!(decode(b"}").unwrap_err().0, Reason::malformed("the pickle ends before its STOP"));
    assert_eq!(decode(b"\x80\x06}.").unwrap_err().0, Reason::malformed("pickle protocol 6; the latest is 5"));
    assert_eq!(malformed(b"\x80\x02N"), "PROTO inside of a pickle");
}

#[test]
fn what_json_does_not_have_is_refused() {
    for pickle in [&b"Fnan\n"[..], b"F-inf\n", b"F1e999\n", b"G\x7f\xf8\0\0\0\0\0\0", b"G\xff\xf0\0\0\0\0\0\0"] {
        assert_eq!(refusal(pickle), Reason::NotFinite);
    }
    assert_eq!(refusal(b"})Ns"), Reason::WrongKey("a tuple"));
    assert_eq!(refusal(b"}C\x01aNs"), Reason::WrongKey("bytes"));
    assert_eq!(refusal(b"}(K\x01NX\x01\0\0\x001Nu"), Reason::KeyTwice("1".into()));
    assert_eq!(malformed(b"X\x03\0\0\0\xed\xa0\x80"), "a text that is not UTF-8");
    assert_eq!(malformed(b"V\\ud83d\\ude00\n"), "an escape in a text that stands for no character");
    assert_eq!(malformed(b"V\\u12\n"), "an escape in a text that stands for no character");
    assert_eq!(malformed(b"I0x10\n"), "not a whole number");
}

#[test]
fn nesting_and_values_have_limits_however_they_come_about() {
    let nested = |lists: usize| [&b"]".repeat(lists)[..], &b"a".repeat(lists - 1)].concat();
    assert!(read(nested(MAX_NESTING - 1)).is_ok());
    assert_eq!(refusal(nested(MAX_NESTING)), Reason::TooDeep);
    assert_eq!(refusal(nested(100_000)), Reason::TooDeep);
    assert_eq!(refusal([&b"N"[..], &b"\x85".repeat(100_000)].concat()), Reason::TooDeep);

    let wide = |values| [b"(", &b"N".repeat(values)[..], b"l"].concat();
    assert!(read(wide(MAX_VALUES - 2)).is_ok());
    assert_eq!(refusal(wide(MAX_VALUES - 1)), Reason::TooManyValues);

    // Each list has the one before it 100 times: 100^20 values, and then no number can count them.
    let hundredfold =
        |levels| [b"N", &[b"q\x000(", &b"h\0".repeat(100)[..], b"t"].concat().repeat(levels)[..]].concat();
    assert_eq!(refusal(hundredfold(20)), Reason::TooManyValues);
    assert_eq!(refusal(hundredfold(30)), Reason::TooManyValues);
    // What is thrown away costs nothing.
    assert_eq!(read([&hundredfold(1000)[..], b"0K\x01"].concat()).as_deref(), Ok("1"));
}

#[test]
fn what_contains_itself_is_refused_unless_it_is_thrown_away() {
    assert_eq!(refusal(b"]2a"), Reason::Loop);
    assert_eq!(refusal(b"}q\0Vb\nh\0s"), Reason::Loop);
    assert_eq!(refusal(b"]q\0h\0\x85a"), Reason::Loop);
    assert_eq!(read(b"]2a0N").as_deref(), Ok("null"));
}

/// Mostly bytes that mean something.
fn any_pickle() -> impl Strategy<Value = Vec<u8>> {
    let opcodes =
        b"(.012\x80\x95N\x88\x89ILJKM\x8a\x8bFGV\x8cX\x8dCB\x8e\x96])\x8f}lt\x85\x86\x87\x91dae\x90supqr\x94ghj";
    let meaningful = prop::sample::select(opcodes.to_vec());
    let operand = prop_oneof![Just(b'\n'), Just(b'0'), Just(0), Just(1), Just(2), any::<u8>()];
    prop::collection::vec(prop_oneof![3 => meaningful, 2 => operand], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_pickle_makes_the_machine_panic(pickle in any_pickle()) {
        let _ = decode(&pickle);
        let _ = read(&pickle);
    }
}
