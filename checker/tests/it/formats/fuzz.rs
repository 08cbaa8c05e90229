//! Nothing makes a reader panic, loop or swell.

use checker::History;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{shared, store};

const SAMPLES: [&str; 9] = [
    "[{:type :invoke, :f :cas, :value [1 \"a\\n\\u00e9\"], :process 10, :time 123, :index 0} ; x\n \
     #jepsen.history.Op{:type :info, :f :start, :value #{1 2N 3.5M 4/6 \\a ##Inf}, :process :nemesis, :error [:x \"y\"]}\n \
     #_ {:type :ok} {:type :ok :f :cas :value [1 #:a{:b 1}] :process 10 :x #inst \"2020\"}\n]\n",
    "{:type :invoke, :f :read, :value [1 nil], :process 0}{:type :ok, :f :read, :value [1 5], :process 0}",
    "0\t:invoke\t:write\t10\n:nemesis\t:info\t:start\tnil\n0\t:ok\t:write\t10\n",
    "INFO  jepsen.util - 3\t:invoke\t:cas\t[3 0]\nINFO  jepsen.util - 3\t:fail\t:cas\t:timed-out\n",
    "{\"index\":0,\"time_ns\":5,\"type\":\"invoke\",\"process\":0,\"f\":\"cas\",\"key\":1,\"value\":[null,12]}\n",
    "[{\"index\":0,\"process\":12,\"type\":\"invoke\",\"f\":\"read\",\"value\":{\"1\":-20.5e1},\"error\":{\"a\":1}}]",
    "{\"ClientId\":1,\"Input\":{\"op\":\"put\",\"key\":\"x\",\"value\":\"1\"},\"Call\":10,\"Output\":{},\"Return\":20}",
    "# set\n2 0 2 CONTAINS 2 0\n0 0 4 INSERT 2 1\n",
    "# @object atomic-stack\n[1] call push(?<0,0>)\n[1] return\n[a] call pop\n[a] return 12\n",
];

/// Bytes that mean something to some reader.
const PIECES: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"\"",
    b"\\",
    b":",
    b"#",
    b"#_",
    b"#{",
    b"##",
    b"^",
    b";",
    b"\n",
    b"\t",
    b"\0",
    b"\xff",
    b"99999999999999999999999",
    b"-",
    b"nil",
    b":nemesis",
    b"\\u",
];

fn mutate(random: &mut impl Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.random_range(1..8) {
        if bytes.is_empty() {
            return;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..6) {
            0 => bytes[at] = random.random(),
            1 => bytes.truncate(at),
            2 => {
                bytes.remove(at);
            }
            3 => {
                let piece = PIECES[random.random_range(0..PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            4 => {
                let end = (at + random.random_range(1..40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
}

/// Reads it, and if it can be read, asks what anybody would ask.
fn read(bytes: &[u8]) {
    if let Ok(recorded) = History::read(bytes) {
        assert!(!recorded.history.is_empty());
        let _ = recorded.history.calls();
    }
}

fn seeds(few: u64) -> u64 {
    std::env::var("CHECKER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

#[test]
fn no_mutation_of_a_file_makes_a_reader_panic() {
    for seed in 0..seeds(4_000) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = match random.random_range(0..SAMPLES.len() + 1) {
            place if place < SAMPLES.len() => SAMPLES[place].as_bytes().to_vec(),
            _ => store::store(&[(1, 4, store::OPS.to_vec())]),
        };
        mutate(&mut random, &mut bytes);
        let copy = bytes.clone();
        let read = std::panic::catch_unwind(|| read(&copy));
        assert!(read.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn no_mutation_of_a_recorded_file_makes_a_reader_panic() {
    let files = shared::files();
    for seed in 0..seeds(200).min(if files.is_empty() { 0 } else { u64::MAX }) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (path, bytes) = &files[random.random_range(0..files.len())];
        let mut bytes = bytes.clone();
        mutate(&mut random, &mut bytes);
        let read = std::panic::catch_unwind(|| read(&bytes));
        assert!(read.is_ok(), "seed {seed}: {path}");
    }
}

#[test]
fn no_random_bytes_make_a_reader_panic() {
    for seed in 0..seeds(4_000) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = Vec::new();
        for _ in 0..random.random_range(0..60) {
            match random.random_range(0..3) {
                0 => bytes.push(random.random()),
                1 => bytes.push(random.random_range(b' '..b'~')),
                _ => bytes.extend_from_slice(PIECES[random.random_range(0..PIECES.len())]),
            }
        }
        let copy = bytes.clone();
        let read = std::panic::catch_unwind(|| read(&copy));
        assert!(read.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}
