//! The query of a call, read once.

use super::refused;
use crate::error::Error;
use crate::percent;

/// The parameters, decoded, in the order of their names, which are in lower case.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

/// The most parameters: a call has five or six.
const MOST: usize = 32;

impl Query {
    /// Reads what stands behind the `?`.
    pub fn parse(query: &str) -> Result<Query, Error> {
        let mut parameters = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            if parameters.len() == MOST {
                return Err(refused("the query has too many parameters"));
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (Some(name), Some(value)) = (percent::query(name), percent::query(value)) else {
                return Err(refused("the query is not encoded as UTF-8 and percent signs"));
            };
            parameters.push((name.to_lowercase(), value));
        }
        parameters.sort();
        // One of two could be signed, and the other one looked at.
        if parameters.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(refused("the query has a parameter twice"));
        }
        Ok(Query(parameters))
    }

    /// A parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        Some(&self.0[found].1)
    }

    /// What is signed of the query: all but the signature, in the order of their names, not encoded.
    pub fn signed(&self) -> String {
        let signed = self.0.iter().filter(|(name, _)| name != "auth_signature");
        signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_signed_decoded_and_in_order() {
        let query = Query::parse("b=2&&A=x%20y+z%2B&auth_signature=s&c").expect("a query");
        assert_eq!(query.signed(), "a=x y z+&b=2&c=");
        assert_eq!((query.get("a"), query.get("A"), query.get("c"), query.get("d")), (Some("x y z+"), None, Some(""), None));
        assert_eq!(Query::parse("").expect("empty").signed(), "");
    }

    #[test]
    fn a_query_that_can_be_read_in_two_ways_is_refused() {
        let many = "a=1&".repeat(100);
        for query in ["a=1&a=1", "a=1&A=2", "a=1&%61=2", "a=%ff", "a=%", &many] {
            assert!(matches!(Query::parse(query), Err(Error::InvalidCall(_))), "{query}");
        }
    }
}
