//! Operations on bitmaps that are lent or owned: what is owned is reused, what is lent is not copied before it must be.

use std::borrow::Cow;

use roaring::RoaringBitmap;

/// Adds a set to another one. Most tags are those of a few clients: uniting sets container by container costs ten times as much for them.
pub(crate) fn add(found: &mut RoaringBitmap, tagged: &RoaringBitmap) {
    const FEW: u64 = 16;
    if tagged.len() <= FEW {
        tagged.iter().for_each(|client| {
            found.insert(client);
        });
    } else {
        *found |= tagged;
    }
}

pub(super) fn union<'a>(one: Cow<'a, RoaringBitmap>, other: Cow<'a, RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match (one, other) {
        (Cow::Owned(one), Cow::Owned(other)) => one | other,
        (Cow::Owned(owned), Cow::Borrowed(lent)) | (Cow::Borrowed(lent), Cow::Owned(owned)) => owned | lent,
        (Cow::Borrowed(one), Cow::Borrowed(other)) => one | other,
    })
}

pub(super) fn intersection<'a>(one: Cow<'a, RoaringBitmap>, other: Cow<'a, RoaringBitmap>) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match (one, other) {
        (Cow::Owned(one), Cow::Owned(other)) => one & other,
        (Cow::Owned(owned), Cow::Borrowed(lent)) | (Cow::Borrowed(lent), Cow::Owned(owned)) => owned & lent,
        (Cow::Borrowed(one), Cow::Borrowed(other)) => one & other,
    })
}

pub(super) fn difference<'a>(from: Cow<'a, RoaringBitmap>, without: &RoaringBitmap) -> Cow<'a, RoaringBitmap> {
    Cow::Owned(match from {
        Cow::Owned(from) => from - without,
        Cow::Borrowed(from) => from - without,
    })
}
