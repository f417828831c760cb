//! The servers by name.

use std::fmt;
use std::str::FromStr;

/// A server, by a name that is another one after each of its starts: 8 lower-case letters and digits, 40 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 8]);

/// No letter looks like another one.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The number of the first server, and of as many as there can be: none has more or fewer digits than another one.
const FIRST_NUMBER: u64 = 1 << 40;

impl NodeId {
    /// A new one.
    pub fn random() -> Result<NodeId, getrandom::Error> {
        let mut bits = [0; 8];
        getrandom::fill(&mut bits)?;
        Ok(NodeId(bits.map(|byte| ALPHABET[usize::from(byte % 32)])))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("bug: the alphabet is ASCII")
    }

    pub(super) fn bytes(&self) -> &[u8; 8] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<NodeId> {
        let name: [u8; 8] = bytes.try_into().ok()?;
        name.iter().all(|byte| ALPHABET.contains(byte)).then_some(NodeId(name))
    }

    /// As a number of 13 digits, for ids that must be numbers: `NUMBER.RANDOM`.
    pub fn number(&self) -> u64 {
        let place = |byte: &u8| ALPHABET.iter().position(|letter| letter == byte).unwrap_or_default() as u64;
        self.0.iter().fold(FIRST_NUMBER >> 40, |number, byte| number << 5 | place(byte))
    }

    fn of_number(number: u64) -> Option<NodeId> {
        let bits = number.checked_sub(FIRST_NUMBER).filter(|bits| *bits < FIRST_NUMBER)?;
        Some(NodeId(std::array::from_fn(|at| ALPHABET[(bits >> (35 - 5 * at)) as usize % 32])))
    }

    /// The server that an id of a client names, if a server made the id: `NODE.RANDOM`, with the node by its name or its number.
    pub fn of_client(id: &str) -> Option<NodeId> {
        let (node, random) = id.split_once('.')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if node.len() == 13 && digits(node) && digits(random) {
            return NodeId::of_number(node.parse().ok()?);
        }
        NodeId::from_bytes(node.as_bytes())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NodeId {
    type Err = ();

    fn from_str(text: &str) -> Result<NodeId, ()> {
        NodeId::from_bytes(text.as_bytes()).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_name_that_ids_of_clients_begin_with() {
        let node = NodeId::random().expect("randomness");
        assert_eq!(node.as_str().len(), 8);
        assert_eq!(NodeId::of_client(&format!("{node}.abc")), Some(node));
        assert_eq!(NodeId::of_client(&format!("{}.123", node.number())), Some(node));
        for name in ["00000000", "zzzzzzzz", "0z0z0z0z"] {
            let node: NodeId = name.parse().expect("a name");
            assert_eq!((node.number().to_string().len(), NodeId::of_client(&format!("{}.1", node.number()))), (13, Some(node)));
        }
        assert_eq!(node.as_str().parse(), Ok(node));
        for other in [
            "",
            "ann",
            "ann.b",
            "ABCDEFGH.x",
            "01234567",
            "0123456i.x",
            "012345678.x",
            "1099511627775.1",
            "2199023255552.1",
            "1099511627776.x",
        ] {
            assert_eq!(NodeId::of_client(other), None, "{other:?}");
        }
        assert_ne!(node, NodeId::random().expect("randomness"));
    }
}
