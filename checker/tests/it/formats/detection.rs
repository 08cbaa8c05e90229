//! Telling the formats apart.

use checker::format::Format;
use checker::{History, ReadError};

use super::{error, read};

#[test]
fn formats_are_told_by_what_is_in_them() {
    let table = [
        (r#"{"index":0,"time_ns":0,"type":"invoke","process":0,"f":"read"}"#, Format::Jsonl),
        (r#"{"type":"invoke","process":0,"f":"read"}"#, Format::ElleJson),
        ("{\"type\" :invoke, :process 0, :f :read}", Format::Edn),
        ("\n\n  {:type :invoke, :process 0, :f :read}", Format::Edn),
        ("[;x\n{:type :invoke, :process 0, :f :read}]", Format::Edn),
        ("0 :invoke :read nil", Format::HistoryTxt),
        ("2020-01-01 x\n0 :invoke :read nil", Format::ConsoleLog),
        ("[2020-01-01] INFO x\n[2020] jepsen.util - 0 :invoke :read nil", Format::ConsoleLog),
        (r#"{"event":{"Start":"Read"},"client_id":1,"op_id":0}"#, Format::S2),
        ("# stack\npush 1 1 2", Format::Fastlin),
        ("# stack\n\n0 1 2 PUSH 1", Format::Fptlin),
        ("[1] call pop", Format::Limo),
    ];
    for (text, format) in table {
        let recorded = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(recorded.format, format, "{text}");
        // A byte order mark and the other system's line ends change nothing.
        let other = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(read(&other).unwrap().history, recorded.history, "{text}");
    }
}

#[test]
fn what_is_no_history_is_refused() {
    for bytes in [&b"\x7fELF\x02\x01"[..], b"\xff\xfe{\0:\0", b"\0\0\0\0", b"hello", b"\x1f\x8b\x08 \x80"] {
        assert!(matches!(History::read(bytes), Err(ReadError::UnknownFormat { .. })), "{bytes:?}");
    }
    assert_eq!(error("\u{1}\u{2}"), "not a history in a known format: it begins with `\\u{1}\\u{2}`");
    assert!(matches!(History::read(&b""[..]), Err(ReadError::Empty)));
    assert!(matches!(read("\u{feff}"), Err(ReadError::Empty)));
    assert!(matches!(read("  \n\n "), Err(ReadError::NoOps { lines: 3 })));
}

#[test]
fn a_reader_that_fails_is_told() {
    struct Failing(usize);
    impl std::io::Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let text = b"{:type :ok}\n";
            self.0 += 1;
            match self.0 {
                1 => {
                    buffer[..text.len()].copy_from_slice(text);
                    Ok(text.len())
                }
                2 => Err(std::io::ErrorKind::Interrupted.into()),
                _ => Err(std::io::Error::other("the disk is gone")),
            }
        }
    }
    let error = History::read(Failing(0)).unwrap_err();
    assert_eq!(error.to_string(), "line 2: the disk is gone");
}

#[test]
fn every_format_has_a_name_of_its_own() {
    for format in Format::ALL {
        assert_eq!(Format::by_name(format.name()), Some(format));
    }
    assert_eq!(Format::by_name("xml"), None);
}
