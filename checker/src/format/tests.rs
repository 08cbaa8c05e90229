//! Where a chunk ends must not matter to any reader.

use super::*;

const SAMPLES: [(Format, &str); 10] = [
    (
        Format::Edn,
        "; a comment\n[{:type :invoke, :f :cas, :value [1 \"a\\n\\u00e9\"], :process 10, :time 123, :index 0}\n \
         #jepsen.history.Op{:type :info, :f :start, :value #{1 2N 3.5M}, :process :nemesis, :error [:x \"y\"]}\n \
         #_ {:type :ok} {:type :ok :f :cas :value [1 \\newline] :process 10 :node \"n1\" :x #inst \"2020\"}\n]\n",
    ),
    (
        Format::Edn,
        "{:type :invoke, :value [[:r 1 nil]], :process 0}\n{:type :ok, :value [[:r 1 [3 4]]], :process 0}",
    ),
    (
        Format::HistoryTxt,
        "0\t:invoke\t:write\t10\r\n:nemesis\t:info\t:start\tnil\n0\t:ok\t:write\t10\n\n12 :invoke :read nil",
    ),
    (
        Format::ConsoleLog,
        "starting\nINFO  jepsen.util - 3\t:invoke\t:cas\t[3 0]\nWARN x\nINFO  jepsen.util - 3\t:fail\t:cas\t:timed-out\n",
    ),
    (
        Format::Jsonl,
        "{\"index\":0,\"time_ns\":5,\"type\":\"invoke\",\"process\":0,\"f\":\"cas\",\"value\":[null,12345]}\n\n\
         {\"index\":3,\"time_ns\":50,\"type\":\"ok\",\"process\":0,\"f\":\"cas\",\"value\":[null,12345],\"slot\":1.5}\n",
    ),
    (
        Format::ElleJson,
        "[{\"index\":0,\"process\":12,\"type\":\"invoke\",\"f\":\"read\",\"value\":null,\"time\":1234},\n\
         {\"process\":12,\"type\":\"ok\",\"f\":\"read\",\"value\":{\"1\":-20,\"b\":[true,\"\\u00e9\"]},\"error\":{\"a\":1}}]",
    ),
    (
        Format::PorcupineJson,
        "{\"ClientId\":1,\"Input\":{\"op\":\"put\",\"key\":\"x\",\"value\":\"1\"},\"Call\":10,\"Output\":{},\"Return\":20}\n\
         {\"ClientId\":2,\"Input\":{\"op\":\"get\",\"key\":\"x\"},\"Call\":15,\"Output\":{\"value\":\"1\"},\"Return\":25}",
    ),
    (Format::Fastlin, "# queue\nenq 20 0 1\ndeq 20 10 13\ndeq -1 20 23"),
    (Format::Fptlin, "# set\n2 0 2 CONTAINS 2 0\n0 0 4 INSERT 2 1\n"),
    (
        Format::Limo,
        "# @object atomic-stack\n[1] call push(?<0,0>)\n[1] return\n[a] call pop\n[a] return 12\n",
    ),
];

#[test]
fn where_a_chunk_ends_does_not_matter() {
    for (format, text) in SAMPLES {
        assert_eq!(detect(text.as_bytes(), true), Some(format), "{text}");
        let whole = History::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        for chunk in [1, 2, 3, 5, 8, 13, 21, 34, 55, 89] {
            let window = Window::with_chunk(text.as_bytes(), chunk).unwrap();
            let pieces = read_as(format, window, Independent::Auto);
            let pieces = pieces.unwrap_or_else(|error| panic!("chunks of {chunk}: {text}: {error}"));
            assert_eq!(pieces.history, whole.history, "chunks of {chunk}: {text}");
            assert_eq!(pieces.suggests, whole.suggests, "chunks of {chunk}: {text}");
        }
    }
}

#[test]
fn where_a_chunk_ends_does_not_matter_to_errors() {
    for (format, text) in SAMPLES {
        for cut in 0..text.len() {
            let mut torn = text.as_bytes()[..cut].to_vec();
            for tail in [&b""[..], b"}", b"\x00"] {
                torn.truncate(cut);
                torn.extend_from_slice(tail);
                let read = |chunk| {
                    let window = Window::with_chunk(&torn[..], chunk).unwrap();
                    read_as(format, window, Independent::Auto).map(|recorded| recorded.history)
                };
                match (read(1 << 16), read(3)) {
                    (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
                    (Err(whole), Err(pieces)) => {
                        // What is shown of what was found may be shorter.
                        let place =
                            |error: &ReadError| error.to_string().split(": ").next().map(str::to_owned);
                        assert_eq!(
                            place(&whole),
                            place(&pieces),
                            "{whole} / {pieces}: {:?}",
                            String::from_utf8_lossy(&torn)
                        );
                    }
                    (whole, pieces) => panic!("{whole:?} / {pieces:?}: {:?}", String::from_utf8_lossy(&torn)),
                }
            }
        }
    }
}
