//! The pure half of the proxy: what becomes of units, and where frames end.

use bytes::{BufMut as _, Bytes, BytesMut};
use harness::proxy::bucket::{BURST_US, Bucket};
use harness::proxy::decider::{DUPLICATE_LAG_US_MAX, Decider, Fate, Nature, REORDER_LAG_US_MAX};
use harness::proxy::frame::PREFIX_BYTES;
use harness::proxy::frame::{Cutter, FRAME_BYTES_MAX, Unit};
use harness::proxy::policy::{LAYERS_MAX, PPM};
use harness::proxy::{Link, LinkPolicy, PolicyError};
use harness::system::NodeId;
use proptest::prelude::*;
use std::num::NonZeroU64;

/// Microseconds between a unit and the next.
type Gaps = Vec<u64>;

fn policies() -> impl Strategy<Value = LinkPolicy> {
    let share = || prop_oneof![Just(0), 1..PPM, Just(PPM)];
    (0..2_000u64, 0..2_000u64, share(), share(), share(), share(), prop::bool::weighted(0.1)).prop_map(
        |(delay_us, jitter_us, drop_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm, hold)| LinkPolicy {
            delay_us,
            jitter_us,
            drop_ppm,
            duplicate_ppm,
            reorder_ppm,
            corrupt_ppm,
            hold,
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
        Fate::Delay { due_us, .. } => Some(due_us),
        Fate::Hold | Fate::Drop => None,
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
        for (now_us, fate) in decide_all(seed, &policy, &gaps, Nature::Message) {
            let Fate::Delay { due_us, overtaken, copy_due_us } = fate else { continue };
            let longest = policy.delay_us + policy.jitter_us;
            let lag = if overtaken { REORDER_LAG_US_MAX } else { 0 };
            // In its place, it may have to wait for one that came before and was delayed by more.
            prop_assert!(due_us <= now_us + longest + lag);
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
            let harmed = matches!(fate, Fate::Drop | Fate::Hold | Fate::Delay { copy_due_us: Some(_), .. });
            prop_assert!(!harmed);
            let due_us = due(now_us, fate).unwrap();
            prop_assert!(due_us >= last);
            last = due_us;
        }
    }

    #[test]
    fn what_a_policy_does_not_use_changes_no_fate(
        seed: u64,
        policies in prop::collection::vec(policies(), 1..5),
        gaps in prop::collection::vec(0..3_000u64, 0..200),
    ) {
        // The right one is corrupted, throttled and half-open besides, and has a layer for frames of
        // other kinds; the left one has none of it.
        let (mut left, mut right) = (Decider::new(seed), Decider::new(seed));
        let mut now_us = 1;
        for (position, gap) in gaps.into_iter().enumerate() {
            now_us += gap;
            let left_policy = LinkPolicy { corrupt_ppm: 0, ..policies[position / 20 % policies.len()].clone() };
            let other = LinkPolicy { drop_ppm: PPM, kinds: Some(["other".into()].into()), ..LinkPolicy::default() };
            let mut right_policy = left_policy.clone();
            right_policy.add(&other);
            right_policy.corrupt_ppm = PPM / 2;
            (right_policy.half_open, right_policy.bytes_per_s) = (true, NonZeroU64::new(1));
            let fate = left.decide(&left_policy, now_us, Some("accept"), Nature::Message);
            prop_assert_eq!(left.corrupt(&left_policy, Some("accept"), 100), None);
            prop_assert_eq!(fate, right.decide(&right_policy, now_us, Some("accept"), Nature::Message));
            right.corrupt(&right_policy, Some("accept"), 100);
        }
    }

    #[test]
    fn policies_laid_together_do_to_each_kind_the_worst_of_each(
        policies in prop::collection::vec((policies(), prop::option::of(prop::collection::btree_set("[abc]", 1..3))), 1..6),
        rates in prop::collection::vec(0..3u64, 6),
    ) {
        let link = Link::clients(NodeId(1));
        let mut all = Vec::new();
        for ((policy, kinds), rate) in policies.into_iter().zip(rates) {
            let bytes_per_s = NonZeroU64::new(rate);
            all.push(LinkPolicy { kinds, bytes_per_s, ..policy });
        }
        let mut together = LinkPolicy::default();
        all.iter().for_each(|policy| together.add(policy));
        prop_assert_eq!(together.check(link, true), Ok(()));
        prop_assert_eq!(together.bytes_per_s, all.iter().filter_map(|policy| policy.bytes_per_s).min());
        for kind in [Some("a"), Some("b"), Some("c"), Some("d"), None] {
            let concerns = |policy: &&LinkPolicy| match (&policy.kinds, kind) {
                (None, _) => true,
                (Some(kinds), kind) => kind.is_some_and(|kind| kinds.contains(kind)),
            };
            let own: Vec<&LinkPolicy> = all.iter().filter(concerns).collect();
            prop_assert_eq!(together.holds(kind), own.iter().any(|policy| policy.hold));
            let worst = LinkPolicy {
                delay_us: own.iter().map(|policy| policy.delay_us).max().unwrap_or(0),
                jitter_us: own.iter().map(|policy| policy.jitter_us).max().unwrap_or(0),
                drop_ppm: own.iter().map(|policy| policy.drop_ppm).max().unwrap_or(0),
                duplicate_ppm: own.iter().map(|policy| policy.duplicate_ppm).max().unwrap_or(0),
                reorder_ppm: own.iter().map(|policy| policy.reorder_ppm).max().unwrap_or(0),
                corrupt_ppm: own.iter().map(|policy| policy.corrupt_ppm).max().unwrap_or(0),
                hold: own.iter().any(|policy| policy.hold),
                ..LinkPolicy::default()
            };
            let (mut expected, mut decider) = (Decider::new(7), Decider::new(7));
            for now_us in 1..50 {
                let fate = decider.decide(&together, now_us, kind, Nature::Message);
                prop_assert_eq!(fate, expected.decide(&worst, now_us, kind, Nature::Message));
                let flip = decider.corrupt(&together, kind, 60);
                prop_assert_eq!(flip, expected.corrupt(&worst, kind, 60));
            }
        }
    }

    #[test]
    fn corruption_changes_one_byte_behind_the_prefix_and_nothing_else(
        seed: u64,
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..50),
    ) {
        let policy = LinkPolicy { corrupt_ppm: PPM, ..LinkPolicy::default() };
        let mut decider = Decider::new(seed);
        for body in bodies {
            let mut frame = BytesMut::new();
            frame.put_u32_le(body.len() as u32);
            frame.put_slice(&body);
            let frame = frame.freeze();
            let Some(flip) = decider.corrupt(&policy, None, frame.len()) else {
                prop_assert!(body.is_empty(), "there was a byte to change");
                continue;
            };
            let damaged = flip.apply(&frame);
            prop_assert_eq!(damaged.len(), frame.len());
            let changed: Vec<usize> = (0..frame.len()).filter(|&at| damaged[at] != frame[at]).collect();
            prop_assert_eq!(&changed, &[flip.at]);
            prop_assert!(flip.at >= PREFIX_BYTES);
        }
    }

    #[test]
    fn bandwidth_is_never_exceeded_and_never_wasted(
        rate in prop_oneof![1..10u64, 1..100_000u64, 1..u64::MAX],
        steps in prop::collection::vec((0..200_000u64, 1..100_000usize), 1..100),
    ) {
        let rate = NonZeroU64::new(rate).unwrap();
        let mut bucket = Bucket::default();
        let mut now_us = 1_000_000;
        // When, and how many bytes had gone before and at that moment.
        let mut gone: Vec<(u64, u128, u128)> = Vec::new();
        let mut total = 0u128;
        for (gap, wanted) in steps {
            now_us += gap;
            let bytes = bucket.allowed(rate, now_us).min(wanted);
            bucket.spend(bytes);
            gone.push((now_us, total, total + bytes as u128));
            total += bytes as u128;
            if bytes < wanted {
                let until_us = bucket.worth_asking_us(rate, wanted - bytes);
                prop_assert!(until_us > now_us, "nobody asks in vain");
                now_us = until_us;
                prop_assert!(bucket.allowed(rate, now_us) > 0, "nor waits in vain");
            }
        }
        let rate = u128::from(rate.get());
        for (position, &(from_us, before, _)) in gone.iter().enumerate() {
            for &(to_us, _, after) in &gone[position..] {
                let span = u128::from(to_us - from_us + BURST_US);
                prop_assert!((after - before) * 1_000_000 <= (rate * span).max(rate * span - rate * u128::from(BURST_US) + 1_000_000));
            }
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
    let doubled = count(|fate| matches!(fate, Fate::Delay { copy_due_us: Some(_), .. }));
    let overtaken = count(|fate| matches!(fate, Fate::Delay { overtaken: true, .. }));
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
    let over = LinkPolicy { corrupt_ppm: PPM + 1, ..LinkPolicy::default() };
    assert!(matches!(over.check(link, true), Err(PolicyError::Share { field: "corrupt_ppm", .. })));
    for lossy in [
        LinkPolicy { hold: true, ..LinkPolicy::default() },
        LinkPolicy { corrupt_ppm: 1, ..LinkPolicy::default() },
        LinkPolicy { also: vec![lossy.clone()], ..LinkPolicy::default() },
    ] {
        assert!(lossy.is_message_lossy() && !lossy.is_clean());
        assert_eq!(lossy.check(link, false), Err(PolicyError::NeedsFrames(link)));
    }
    let streams = [
        LinkPolicy { half_open: true, ..LinkPolicy::default() },
        LinkPolicy { bytes_per_s: NonZeroU64::new(1), ..LinkPolicy::default() },
    ];
    for policy in streams {
        assert!(!policy.is_message_lossy() && !policy.is_clean());
        assert_eq!(policy.check(link, false), Ok(()));
        let layered = LinkPolicy { also: vec![policy], ..LinkPolicy::default() };
        assert_eq!(layered.check(link, true), Err(PolicyError::Layer(link)));
    }
    let piled = LinkPolicy { also: vec![lossy; LAYERS_MAX + 1], ..LinkPolicy::default() };
    assert!(matches!(piled.check(link, true), Err(PolicyError::Layers { .. })));
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

#[test]
fn policies_are_told_in_words() {
    let kinds = Some(["accept".to_owned(), "prepare".to_owned()].into());
    let mut policy = LinkPolicy {
        half_open: true,
        bytes_per_s: NonZeroU64::new(64_000),
        drop_ppm: 205_000,
        delay_us: 20_000,
        jitter_us: 40_000,
        ..LinkPolicy::default()
    };
    policy.add(&LinkPolicy { hold: true, corrupt_ppm: PPM, kinds, ..LinkPolicy::default() });
    let expected = "half-open, at most 64000 bytes/s, delay 20–60 ms, drop 20.5 %, corrupt 100 %, hold of accept, prepare";
    assert_eq!(policy.describe(), expected);
    assert_eq!(LinkPolicy::cut().describe(), "cut");
}
