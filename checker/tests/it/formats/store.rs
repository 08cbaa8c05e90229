//! Jepsen's `test.jepsen`.

use checker::format::Format;
use checker::{History, ReadError};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{shared, shown};

const STREAM: u16 = 4;

/// A store of these blocks: id, type and data. The test is block 1.
pub(crate) fn store(blocks: &[(u32, u16, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"JEPSEN\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    let mut index = 1u32.to_be_bytes().to_vec();
    for (id, kind, data) in blocks {
        index.extend_from_slice(&id.to_be_bytes());
        index.extend_from_slice(&(file.len() as u64).to_be_bytes());
        block(&mut file, *kind, data);
    }
    let at = file.len() as u64;
    file[10..18].copy_from_slice(&at.to_be_bytes());
    block(&mut file, 1, &index);
    file
}

fn block(file: &mut Vec<u8>, kind: u16, data: &[u8]) {
    let mut header = [0; 28];
    header[..8].copy_from_slice(&(28 + data.len() as u64).to_be_bytes());
    header[12..14].copy_from_slice(&kind.to_be_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(data);
    crc.update(&header);
    header[8..12].copy_from_slice(&crc.finalize().to_be_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(data);
}

/// The map of a test: `{:history <history>}`, with no more to come.
fn test_map(history: &[u8]) -> Vec<u8> {
    let mut map = b"\0\0\0\0\xc0\xe6\xca\xf7\xe1history".to_vec();
    map.extend_from_slice(history);
    map
}

const BLOCK_2: &[u8] = b"\xef\xe3\x09block-ref\x01\x02";

/// Two ops of a stream: the second uses what the first put into the caches.
pub(crate) const OPS: &[u8] = b"\xef\xe3\x11jepsen.history.Op\x07\
      \x00\x76\x08\x97\x70\x3a\xcd\xca\xf7\xcd\xe0invoke\x03\xcd\xca\xf7\xcd\xddcas\xe6\x01\x50\xc8\xf7\
      \xa0\x01\x76\x08\x97\x70\x3b\xca\xf7\xdcok\x03\x82\xe6\x01\x50\xc8\xc0\xe6\xca\xf7\xdfnodes\xdcn4";

#[test]
fn streams_vectors_and_lists_of_ops_are_read() {
    let expected = ["3 invoke cas [1 200]", "3 ok cas [1 200]"];
    let vector = |chunks: &[(u64, u32)]| {
        let mut data = 2u64.to_be_bytes().to_vec();
        for (index, id) in chunks {
            data.extend_from_slice(&index.to_be_bytes());
            data.extend_from_slice(&id.to_be_bytes());
        }
        data
    };
    let list = [&b"\xed"[..], OPS, b"\xfd"].concat();
    let test = (1, 3, test_map(BLOCK_2));
    for blocks in [
        vec![test.clone(), (2, STREAM, OPS.to_vec())],
        vec![test.clone(), (2, 5, vector(&[(0, 3)])), (3, STREAM, OPS.to_vec())],
        vec![test.clone(), (2, 2, list.clone())],
        vec![(1, 2, test_map(&list)[4..].to_vec())],
        vec![(1, 3, b"\0\0\0\x04\xc0\xe4".to_vec()), (4, 3, test_map(BLOCK_2)), (2, STREAM, OPS.to_vec())],
    ] {
        let recorded = History::read(&store(&blocks)[..]).unwrap();
        assert_eq!(shown(&recorded.history), expected);
        assert_eq!((recorded.format, recorded.suggests.model), (Format::Store, Some("cas-register")));
        assert_eq!((recorded.history.index(1), recorded.history.time_ns(0)), (1, 144_142_394));
        assert_eq!(recorded.history.op(1).extra["nodes"], "n4");
    }
}

#[test]
fn every_kind_of_value_is_what_it_is_in_edn() {
    // Each after `:value`; numbers, floats, texts, big numbers, collections, tagged things.
    let table: [(&[u8], &str); 24] = [
        (b"\xff", "-1"),
        (b"\x4f\xff", "-1"),
        (b"\x6f\xff\xff", "524287"),
        (b"\x70\x00\x00\x00", "-33554432"),
        (b"\xf8\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
        (b"\x7c\0\0\0\0\0\0", "-562949953421312"),
        (b"\x78\0\0\0\0\0", "-2199023255552"),
        (b"\xfa\x3f\xf8\0\0\0\0\0\0", "1.5"),
        (b"\xf9\x3f\xc0\0\0", "1.5"),
        (b"\xfb", "0.0"),
        (b"\xfc", "1.0"),
        (b"\xf5", "true"),
        (b"\xc6\xd1\xff", "-1"),
        (b"\xc6\xd9\x09\x01\0\0\0\0\0\0\0\0", "18446744073709551616N"),
        (b"\xc7\xd1\x0f\x01", "1.5M"),
        (b"\xe2\x02\xc3\xa9\xdba", "\"éa\""),
        (b"\xe0\xed\xa0\xbd\xed\xb8\x80", "\"\\ud83d\\ude00\""),
        (b"\xca\xdcns\xdbk", "ns/k"),
        (b"\xc1\xe6\x02\x01", "#{1 2}"),
        (b"\xef\xe3\x13persistent-hash-set\x01\xe6\x02\x01", "#{1 2}"),
        (b"\xef\xe3\x09map-entry\x02\x05\xf7", "[5 nil]"),
        (b"\xef\xe3\x05ratio\x02\x02\x04", "1/2"),
        (b"\xef\xdechar\x01\x50\x41", "\\A"),
        (b"\xc0\xe8\x01\xe4\x02\xee\xfd", "{1 [] 2 []}"),
    ];
    for (bytes, edn) in table {
        let op = [&b"\xc0\xec\x08\xca\xf7\xdetype\xca\xf7\xdcok\xca\xf7\xe1process\0\xca\xf7\xdbf\xca\xf7\xderead\xca\xf7\xdfvalue"[..], bytes].concat();
        let blocks = [(1, 3, test_map(BLOCK_2)), (2, STREAM, op)];
        let read = History::read(&store(&blocks)[..]);
        let read = read.unwrap_or_else(|error| panic!("{edn}: {error}"));
        let text = format!("{{:type :ok, :process 0, :f :read, :value {edn}}}");
        assert_eq!(
            read.history.op(0).value,
            History::read(text.as_bytes()).unwrap().history.op(0).value,
            "{edn}"
        );
    }
}

#[test]
fn a_damaged_store_is_an_error_with_its_place() {
    let file = store(&[(1, 3, test_map(BLOCK_2)), (2, STREAM, OPS.to_vec())]);
    let whole = History::read(&file[..]).unwrap().history;
    for at in 6..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x10;
        match History::read(&damaged[..]) {
            Ok(recorded) => panic!("byte {at}: {:?}", shown(&recorded.history)),
            Err(ReadError::Binary { .. } | ReadError::UnknownFormat { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
        }
        // A part of it is never taken for the whole.
        if let Ok(cut) = History::read(&file[..at]) {
            assert_eq!(cut.history, whole);
        }
    }
    let unsaved = b"JEPSEN\0\0\0\x01\0\0\0\0\0\0\0\0";
    let error = History::read(&unsaved[..]).unwrap_err().to_string();
    assert_eq!(error, "byte 0xa: the store has no index: its test was never saved");
    let missing = store(&[(1, 3, test_map(b"\xef\xe3\x09block-ref\x01\x07"))]);
    assert!(History::read(&missing[..]).unwrap_err().to_string().contains("block 7 is not in the index"));
    let empty = store(&[(1, 3, test_map(b"\xf7"))]);
    assert!(History::read(&empty[..]).unwrap_err().to_string().contains("has no ops"));
    let endless = store(&[(1, 3, test_map(BLOCK_2)), (2, 5, [&[0; 16][..], &[0, 0, 0, 2]].concat())]);
    assert!(History::read(&endless[..]).unwrap_err().to_string().contains("without end"));
}

#[test]
fn no_bytes_of_fressian_make_it_panic_or_swell() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for _ in 0..3000 {
        let mut data = OPS.to_vec();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..data.len());
            match random.random_range(0..3) {
                0 => data[at] = random.random(),
                1 => data.truncate(at.max(1)),
                _ => data.insert(at, random.random()),
            }
        }
        let _ = History::read(&store(&[(1, 3, test_map(BLOCK_2)), (2, STREAM, data)])[..]);
    }
    // Each list holds the one before twice: a hundred bytes that mean 2^60 values.
    let mut bomb = b"\xc0\xec\x08\xca\xf7\xdetype\xca\xf7\xdcok\xca\xf7\xe1process\0\xca\xf7\xdbf\xca\xf7\xderead\xca\xf7\xdfvalue".to_vec();
    bomb.extend_from_slice(b"\xec\x3d\xcd\x01");
    for place in 0..31u8 {
        bomb.extend_from_slice(&[0xcd, 0xe6, 0x80 + place, 0x80 + place]);
    }
    bomb.extend_from_slice(&[0xf7; 29]);
    let error = History::read(&store(&[(1, 3, test_map(BLOCK_2)), (2, STREAM, bomb)])[..]).unwrap_err();
    assert!(error.to_string().contains("more parts than any history has"), "{error}");
}

#[test]
fn the_recorded_store_holds_the_history_beside_it() {
    let Some(folder) = shared::folder() else { return };
    let folder = folder.join("jepsen-store");
    let read = |name: &str| History::read(std::fs::File::open(folder.join(name)).unwrap()).unwrap().history;
    let (store, edn, text) = (read("test.jepsen"), read("history.edn"), read("history.txt"));
    assert_eq!(store.len(), 610);
    assert_eq!(store, edn);
    assert_eq!(shown(&text), shown(&edn));
}
