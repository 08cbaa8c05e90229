//! The pure half of the proxy: what becomes of units, and where frames end.

use bytes::{BufMut as _, Bytes, BytesMut};
use harness::proxy::frame::{Cutter, FRAME_BYTES_MAX, Unit};
use harness::proxy::policy::{Decider, Fate, Nature, PPM};
use harness::proxy::{Link, LinkPolicy, PolicyError};
use harness::system::NodeId;
use proptest::prelude::*;

/// Microseconds between a unit and the next.
type Gaps = Vec<u64>;

fn policies() -> impl Strategy<Value = LinkPolicy> {
    let share = prop_oneof![Just(0), 1..PPM, Just(PPM)];
    (0..2_000u64, 0..2_000u64, share.clone(), share.clone(), share).prop_map(
        |(delay_us, jitter_us, drop_ppm, duplicate_ppm, reorder_ppm)| LinkPolicy {
            delay_us,
            jitter_us,
            drop_ppm,
            duplicate_ppm,
            reorder_ppm,
            ..LinkPolicy::default()
        },
    )
}

fn decide_all(seed: u64, policy: &LinkPolicy, gaps: &Gaps, nature: Nature) -> Vec<(u64, Fate)> {
    let mut decider = Decider::new(seed);
    let mut now_us = 1;
    gaps.iter()
        .map(|gap| {
            now_us += gap;
            (now_us, decider.decide(policy, now_us, Some("accept"), nature))
        })
        .collect()
}

/// When the first copy leaves.
fn due(now_us: u64, fate: Fate) -> Option<u64> {
    match fate {
        Fate::Forward => Some(now_us),
        Fate::Hold { due_us, .. } => Some(due_us),
        Fate::Drop => None,
    }
}

proptest! {
    #[test]
    fn the_same_seed_decides_alike(seed: u64, policy in policies(), gaps: Gaps) {
        let gaps: Gaps = gaps.into_iter().map(|gap| gap % 3_000).collect();
        let once = decide_all(seed, &policy, &gaps, Nature::Message);
        prop_assert_eq!(once, decide_all(seed, &policy, &gaps, Nature::Message));
    }

    #[test]
    fn without_reordering_first_copies_keep_their_order(
        seed: u64,
        mut policy in policies(),
        gaps in prop::collection::vec(0..3_000u64, 0..200),
    ) {
        policy.reorder_ppm = 0;
        let fates = decide_all(seed, &policy, &gaps, Nature::Message);
        let dues: Vec<u64> = fates.iter().filter_map(|&(now_us, fate)| due(now_us, fate)).collect();
        prop_assert!(dues.is_sorted(), "{dues:?}");
    }

    #[test]
    fn order_is_kept_across_a_change_of_policy(
        seed: u64,
        policies in prop::collection::vec(policies(), 1..10),
        gaps in prop::collection::vec(0..500u64, 0..200),
    ) {
        let mut decider = Decider::new(seed);
        let (mut now_us, mut last) = (1, 0);
        for (position, gap) in gaps.into_iter().enumerate() {
            now_us += gap;
            let mut policy = policies[position / 20 % policies.len()].clone();
            policy.reorder_ppm = 0;
            let fate = decider.decide(&policy, now_us, None, Nature::Message);
            let Some(due_us) = due(now_us, fate) else { continue };
            prop_assert!(due_us >= last);
            last = due_us;
        }
    }

    #[test]
    fn nobody_waits_longer_than_asked(
        seed: u64,
        policy in policies(),
        gaps in prop::collection::vec(0..3_000u64, 0..200),
    ) {
        use harness::proxy::policy::{DUPLICATE_LAG_US_MAX, REORDER_HOLD_US_MAX};
        for (now_us, fate) in decide_all(seed, &policy, &gaps, Nature::Message) {
            let Fate::Hold { due_us, overtaken, copy_due_us } = fate else { continue };
            let longest = policy.delay_us + policy.jitter_us;
            let hold = if overtaken { REORDER_HOLD_US_MAX } else { 0 };
            // In its place, it may have to wait for one that came before and was delayed by more.
            prop_assert!(due_us <= now_us + longest + hold);
            prop_assert!(copy_due_us.is_none_or(|copy| copy <= now_us + longest + DUPLICATE_LAG_US_MAX));
        }
    }

    #[test]
    fn a_stream_without_frames_is_only_delayed(
        seed: u64,
        policy in policies(),
        gaps in prop::collection::vec(0..3_000u64, 0..200),
    ) {
        let fates = decide_all(seed, &policy, &gaps, Nature::Chunk);
        let mut last = 0;
        for (now_us, fate) in fates {
            let harmed = matches!(fate, Fate::Drop | Fate::Hold { copy_due_us: Some(_), .. });
            prop_assert!(!harmed);
            let due_us = due(now_us, fate).unwrap();
            prop_assert!(due_us >= last);
            last = due_us;
        }
    }

    #[test]
    fn cutting_loses_no_byte_and_finds_every_frame(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        tail in prop::collection::vec(any::<u8>(), 0..3),
        pieces in prop::collection::vec(1..200usize, 1..50),
    ) {
        let mut stream = BytesMut::new();
        let mut frames = Vec::new();
        for body in &bodies {
            let mut frame = BytesMut::new();
            frame.put_u32_le(body.len() as u32);
            frame.put_slice(body);
            stream.extend_from_slice(&frame);
            frames.push(frame.freeze());
        }
        stream.put_slice(&tail);
        let (mut cutter, mut buffer, mut found) = (Cutter::new(true), BytesMut::new(), Vec::new());
        let mut pieces = pieces.iter().cycle();
        while !stream.is_empty() {
            let piece = (*pieces.next().unwrap()).min(stream.len());
            buffer.extend_from_slice(&stream.split_to(piece));
            while let Some(unit) = cutter.next(&mut buffer) {
                prop_assert!(matches!(unit, Unit::Frame(_)));
                found.push(unit.into_bytes());
            }
        }
        prop_assert_eq!(found, frames);
        let rest = cutter.rest(&mut buffer).map(Unit::into_bytes).unwrap_or_default();
        prop_assert_eq!(rest, Bytes::from(tail));
    }
}

#[test]
fn shares_bite_in_proportion() {
    let policy = LinkPolicy {
        drop_ppm: 100_000,
        duplicate_ppm: 200_000,
        reorder_ppm: 300_000,
        ..LinkPolicy::default()
    };
    let fates = decide_all(7, &policy, &vec![1; 100_000], Nature::Message);
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|(_, fate)| wanted(fate)).count();
    let dropped = count(|fate| *fate == Fate::Drop);
    let doubled = count(|fate| matches!(fate, Fate::Hold { copy_due_us: Some(_), .. }));
    let overtaken = count(|fate| matches!(fate, Fate::Hold { overtaken: true, .. }));
    assert!((9_500..10_500).contains(&dropped), "{dropped}");
    assert!((17_000..19_000).contains(&doubled), "{doubled}");
    assert!((26_000..28_000).contains(&overtaken), "{overtaken}");
}

#[test]
fn only_the_kinds_named_are_harmed() {
    let kinds = Some(["prepare".to_owned()].into());
    let policy = LinkPolicy { drop_ppm: PPM, kinds, ..LinkPolicy::default() };
    let mut decider = Decider::new(1);
    assert_eq!(decider.decide(&policy, 1, Some("prepare"), Nature::Message), Fate::Drop);
    assert_eq!(decider.decide(&policy, 2, Some("accept"), Nature::Message), Fate::Forward);
    assert_eq!(decider.decide(&policy, 3, None, Nature::Message), Fate::Forward);
}

#[test]
fn impossible_policies_are_refused() {
    let link = Link::between(NodeId(1), NodeId(2));
    let lossy = LinkPolicy { drop_ppm: 1, ..LinkPolicy::default() };
    assert_eq!(lossy.check(link, true), Ok(()));
    assert_eq!(lossy.check(link, false), Err(PolicyError::NeedsFrames(link)));
    assert_eq!(LinkPolicy::cut().check(link, false), Ok(()));
    let over = LinkPolicy { reorder_ppm: PPM + 1, ..LinkPolicy::default() };
    let error = over.check(link, true).unwrap_err();
    assert_eq!(error.to_string(), "n1->n2: reorder_ppm = 1000001: at most 1000000 parts per million");
    let slow = LinkPolicy { delay_us: u64::MAX, ..LinkPolicy::default() };
    assert!(matches!(slow.check(link, true), Err(PolicyError::Delay { .. })));
}

#[test]
fn a_senseless_length_ends_the_framing_and_no_byte_is_lost() {
    let mut cutter = Cutter::new(true);
    let mut buffer = BytesMut::from(&b"\x01\0\0\0aGET / HTTP/1.1"[..]);
    assert_eq!(cutter.next(&mut buffer), Some(Unit::Frame(Bytes::from_static(b"\x01\0\0\0a"))));
    assert!(u32::from_le_bytes(*b"GET ") as usize > FRAME_BYTES_MAX);
    assert_eq!(cutter.next(&mut buffer), Some(Unit::Raw(Bytes::from_static(b"GET / HTTP/1.1"))));
    buffer.put_slice(b"\x01\0\0\0a");
    assert_eq!(cutter.next(&mut buffer), Some(Unit::Raw(Bytes::from_static(b"\x01\0\0\0a"))));
}
