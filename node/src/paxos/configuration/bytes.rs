//! A configuration as bytes, the same in the log, on the wire and in a snapshot. Little-endian:
//!
//! u64 number, u64 the set of ids that are gone (bit `id`), u8 count of members, and for each, by
//! ascending id: u16 id, u8 standing (1 voter, 2 learner), u64 incarnation, u8 length of the
//! address and that many bytes of UTF-8. One configuration has one encoding.

use super::{Configuration, Member, NodeId, NodeSet, Standing};

const HEAD_BYTES: usize = 8 + 8 + 1;
const MEMBER_BYTES: usize = 2 + 1 + 8 + 1;

const VOTER: u8 = 1;
const LEARNER: u8 = 2;

impl Configuration {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.gone.bits().to_le_bytes());
        bytes.push(u8::try_from(self.members.len()).expect("bounded when it was built"));
        for Member { node, standing, incarnation, address } in &self.members {
            bytes.extend(node.0.to_le_bytes());
            bytes.push(match standing {
                Standing::Voter => VOTER,
                Standing::Learner => LEARNER,
            });
            bytes.extend(incarnation.to_le_bytes());
            bytes.push(u8::try_from(address.len()).expect("bounded when it was built"));
            bytes.extend(address.as_bytes());
        }
        bytes
    }

    /// How many they are.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        HEAD_BYTES + self.members.iter().map(|member| MEMBER_BYTES + member.address.len()).sum::<usize>()
    }

    /// Reads them back; `None` if they are no configuration's.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Configuration> {
        let (head, mut rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let number = u64::from_le_bytes(head[..8].try_into().ok()?);
        let gone = NodeSet::from_bits(u64::from_le_bytes(head[8..16].try_into().ok()?))?;
        let mut members = Vec::new();
        for _ in 0..head[16] {
            let (fixed, behind) = rest.split_first_chunk::<MEMBER_BYTES>()?;
            let node = NodeId(u16::from_le_bytes([fixed[0], fixed[1]]));
            let standing = match fixed[2] {
                VOTER => Standing::Voter,
                LEARNER => Standing::Learner,
                _ => return None,
            };
            let incarnation = u64::from_le_bytes(fixed[3..11].try_into().ok()?);
            let (address, behind) = behind.split_at_checked(usize::from(fixed[11]))?;
            let address = std::str::from_utf8(address).ok()?.to_owned();
            if members.last().is_some_and(|last: &Member| last.node >= node) {
                return None;
            }
            members.push(Member { node, standing, incarnation, address });
            rest = behind;
        }
        if rest.is_empty() { Configuration::build(number, members, gone) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::*;
    use proptest::prelude::*;

    /// The bytes outlive the program that wrote them.
    #[test]
    fn golden_bytes() {
        let founding = Configuration::of(&[NodeId(1), NodeId(2)]);
        let add = Change::Add { node: NodeId(3), incarnation: 0x0102, address: "a:1".into() };
        let three = founding.changed(&add).unwrap();
        let two = three.changed(&Change::Replace { node: NodeId(1), by: NodeId(3) }).unwrap();
        #[rustfmt::skip]
        let golden = [
            2, 0, 0, 0, 0, 0, 0, 0,  2, 0, 0, 0, 0, 0, 0, 0,  2,
            2, 0,  1,  0, 0, 0, 0, 0, 0, 0, 0,  0,
            3, 0,  1,  2, 1, 0, 0, 0, 0, 0, 0,  3, b'a', b':', b'1',
        ];
        assert_eq!(two.encode(), golden);
        assert_eq!(two.encoded_len(), golden.len());
        assert_eq!(Configuration::decode(&golden), Some(two));
        assert!((0..golden.len()).all(|cut| Configuration::decode(&golden[..cut]).is_none()));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            head in prop::collection::vec(0u8..4, 17),
            members in prop::collection::vec((0u8..6, 0u8..4, 0u8..3), 0..4),
        ) {
            let mut bytes = head;
            bytes[16] = members.len() as u8;
            for (id, standing, length) in members {
                bytes.extend([id, 0, standing, 1, 2, 3, 4, 5, 6, 7, 8, length]);
                bytes.extend(vec![b'x'; usize::from(length)]);
            }
            if let Some(configuration) = Configuration::decode(&bytes) {
                prop_assert_eq!(configuration.encode(), bytes);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Configuration::decode(&bytes);
        }
    }
}
