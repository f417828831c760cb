//! The servers by name.

use std::fmt;
use std::str::FromStr;

/// A server, by a name that is another one after each of its starts: 8 lower-case letters and digits, 40 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 8]);

/// No letter looks like another one.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

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

    /// The server that an id of a client names, if a server made the id: `NODE.RANDOM`.
    pub fn of_client(id: &str) -> Option<NodeId> {
        let (node, _) = id.split_once('.')?;
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
        assert_eq!(node.as_str().parse(), Ok(node));
        for other in ["", "ann", "ann.b", "ABCDEFGH.x", "01234567", "0123456i.x", "012345678.x"] {
            assert_eq!(NodeId::of_client(other), None, "{other:?}");
        }
        assert_ne!(node, NodeId::random().expect("randomness"));
    }
}
