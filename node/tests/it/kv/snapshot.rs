//! Snapshots of the state machine: of one moment, whatever is applied meanwhile; complete; and never a
//! reason to panic.

use super::arbitrary::txn;
use super::{append, apply, put, request};
use bytes::Bytes;
use paxos_node::kv::{
    Command, Kv, MAX_LIST_ITEMS, PIECE_BYTES, PIECE_BYTES_MAX, Reply, Restoring, SessionId, Txn,
};
use proptest::prelude::*;

/// All pieces of the snapshot under way.
fn pieces(kv: &mut Kv) -> Vec<Bytes> {
    std::iter::from_fn(|| kv.next_piece()).collect()
}

fn restore(pieces: &[Bytes]) -> Kv {
    let mut restoring = Restoring::default();
    for piece in pieces {
        assert!(piece.len() <= PIECE_BYTES_MAX);
        restoring.take(piece.clone()).expect("a piece of our own");
    }
    restoring.finish().expect("a whole state")
}

/// A state with two sessions, for commands in them and outside.
fn with_sessions() -> (Kv, Vec<SessionId>) {
    let mut kv = Kv::new();
    let opened = apply(&mut kv, 1, &[Command::OpenSession { nonce: 1 }, Command::OpenSession { nonce: 2 }]);
    let id = |reply| match reply {
        Reply::SessionOpened(id) => id,
        other => panic!("{other:?}"),
    };
    (kv, opened.into_iter().map(id).collect())
}

/// Who asks (nobody, or one of two sessions, and whether again) and what.
type Asked = (Option<(usize, bool)>, Txn);

fn commands(asked: &[Asked], sessions: &[SessionId]) -> Vec<Command> {
    let mut sequences = [1u64; 2];
    let command = |(who, txn): &Asked| match who {
        None => Command::Execute { request: None, txn: txn.clone() },
        Some((who, again)) => {
            let sequence = sequences[*who];
            sequences[*who] += u64::from(!again);
            request(sessions[*who], sequence, &txn.ops)
        }
    };
    asked.iter().map(command).collect()
}

proptest! {
    /// However the pieces come between what is applied: they are those of the moment when they began,
    /// and a state restored from them goes on like one that was never written down.
    #[test]
    fn a_snapshot_is_of_the_moment_when_it_began(
        asked in prop::collection::vec((prop::option::of((0usize..2, any::<bool>())), txn()), 1..60),
        begun in any::<prop::sample::Index>(),
        every in 1usize..6,
    ) {
        let (mut kv, sessions) = with_sessions();
        let commands = commands(&asked, &sessions);
        let begun = begun.index(commands.len());
        let step = |kv: &mut Kv, at: usize| apply(kv, 2 + at as u64, &commands[at..=at]);
        (0..begun).for_each(|at| drop(step(&mut kv, at)));
        let (mut still, _) = with_sessions();
        (0..begun).for_each(|at| drop(step(&mut still, at)));
        still.begin_snapshot();
        let expected = pieces(&mut still);

        let told = kv.begin_snapshot();
        prop_assert_eq!(told, kv.applied());
        let mut taken = Vec::new();
        for at in begun..commands.len() {
            step(&mut kv, at);
            if at % every == 0 {
                taken.extend(kv.next_piece());
            }
        }
        taken.extend(pieces(&mut kv));
        prop_assert_eq!(&taken, &expected, "equal states are equal bytes");

        let mut restored = restore(&taken);
        prop_assert_eq!(restored.origin(), told);
        for at in begun..commands.len() {
            let (now, then) = (step(&mut restored, at), step(&mut still, at));
            prop_assert_eq!(now, then);
        }
        prop_assert_eq!(restored.applied(), kv.applied());
        restored.begin_snapshot();
        kv.begin_snapshot();
        prop_assert_eq!(pieces(&mut restored), pieces(&mut kv));
    }

    #[test]
    fn no_piece_makes_it_panic(pieces in prop::collection::vec(prop::collection::vec(0u8..5, 0..60), 0..6)) {
        let mut restoring = Restoring::default();
        for piece in pieces {
            let _ = restoring.take(piece.into());
        }
        let _ = restoring.finish();
    }

    /// A byte changed, wherever: an error or another state, never a panic. (That it *is* changed, the
    /// checksums of the parts tell.)
    #[test]
    fn no_change_of_a_piece_makes_it_panic(place in any::<prop::sample::Index>(), bit in 0u32..8) {
        let (mut kv, sessions) = with_sessions();
        apply(&mut kv, 5, &[request(sessions[0], 1, &[put("k", "v"), append("l", "a")])]);
        kv.begin_snapshot();
        for piece in pieces(&mut kv) {
            let mut bytes = piece.to_vec();
            let at = place.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut restoring = Restoring::default();
            let _ = restoring.take(bytes.into());
        }
    }
}

#[test]
fn a_large_state_comes_in_many_pieces_of_one_size() {
    let mut kv = Kv::new();
    for number in 0..3_000 {
        apply(&mut kv, 1, &[super::execute(&[put(&format!("key {number:05}"), &"v".repeat(200))])]);
    }
    let items: Vec<_> = (0..1_000).map(|item| append("list", &item.to_string())).collect();
    for _ in 0..MAX_LIST_ITEMS / 1_000 {
        apply(&mut kv, 1, &[super::execute(&items)]);
    }
    kv.begin_snapshot();
    let pieces = pieces(&mut kv);
    assert!(pieces.len() > 10, "{} pieces", pieces.len());
    assert!(pieces[2..pieces.len() - 2].iter().all(|piece| piece.len() < PIECE_BYTES + 2_000));
    assert_eq!(restore(&pieces).applied(), kv.applied());
}
