//! A checkpoint as short text, about 500 characters: Base64 of the counts of numbers, the whole ones, two bits for the
//! form of each real one, and their bytes. No number is written in decimals, whose parsers may be off by the last bit.
//! It is here because the judge itself needs no crate.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

use crate::stats::{Checkpoint, CheckpointError};

/// How one real number is written: as nothing, as a whole, in four bytes, or in eight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Zero,
    Whole,
    Narrow,
    Wide,
}

impl Form {
    fn of(value: f64) -> Self {
        if value.to_bits() == 0 {
            Self::Zero
        } else if value.fract() == 0.0 && (1.0..65_536.0).contains(&value) {
            Self::Whole
        } else if f64::from(value as f32).to_bits() == value.to_bits() {
            Self::Narrow
        } else {
            Self::Wide
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::Whole => 1,
            Self::Narrow => 2,
            Self::Wide => 3,
        }
    }

    const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Zero,
            1 => Self::Whole,
            2 => Self::Narrow,
            _ => Self::Wide,
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(bytes(self)))
    }
}

fn bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = vec![checkpoint.wholes.len() as u8, checkpoint.reals.len() as u8];
    for whole in &checkpoint.wholes {
        put_whole(&mut bytes, *whole);
    }
    let forms: Vec<Form> = checkpoint.reals.iter().map(|real| Form::of(*real)).collect();
    for four in forms.chunks(4) {
        let shifted = four.iter().enumerate().map(|(at, form)| form.bits() << (2 * at));
        bytes.push(shifted.fold(0, |all, bits| all | bits));
    }
    for (form, real) in forms.iter().zip(&checkpoint.reals) {
        match form {
            Form::Zero => {}
            Form::Whole => bytes.extend((*real as u16).to_le_bytes()),
            Form::Narrow => bytes.extend((*real as f32).to_le_bytes()),
            Form::Wide => bytes.extend(real.to_le_bytes()),
        }
    }
    bytes
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let bytes = BASE64.decode(text).map_err(|_| CheckpointError::Shape)?;
        read(&bytes).ok_or(CheckpointError::Shape)
    }
}

fn read(mut rest: &[u8]) -> Option<Checkpoint> {
    let (wholes, reals) = (take::<1>(&mut rest)?[0], take::<1>(&mut rest)?[0]);
    let wholes = (0..wholes)
        .map(|_| take_whole(&mut rest))
        .collect::<Option<_>>()?;
    let tags: Vec<u8> = rest.get(..usize::from(reals).div_ceil(4))?.to_vec();
    rest = &rest[tags.len()..];
    let mut real = |at: usize| {
        Some(match Form::from_bits(tags[at / 4] >> (2 * (at % 4))) {
            Form::Zero => 0.0,
            Form::Whole => f64::from(u16::from_le_bytes(take(&mut rest)?)),
            Form::Narrow => f64::from(f32::from_le_bytes(take(&mut rest)?)),
            Form::Wide => f64::from_le_bytes(take(&mut rest)?),
        })
    };
    let reals = (0..usize::from(reals)).map(&mut real).collect::<Option<_>>()?;
    rest.is_empty().then_some(Checkpoint { reals, wholes })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_whole(bytes: &mut Vec<u8>, mut whole: u64) {
    while whole >= 0x80 {
        bytes.push((whole & 0x7f) as u8 | 0x80);
        whole >>= 7;
    }
    bytes.push(whole as u8);
}

fn take_whole(rest: &mut &[u8]) -> Option<u64> {
    let mut whole = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        whole |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(whole);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_checkpoint_survives_its_text(
            reals in prop::collection::vec(prop_oneof![any::<f64>(), Just(0.0), (0_u16..9).prop_map(f64::from), any::<f32>().prop_map(f64::from)], 0..120),
            wholes in prop::collection::vec(any::<u64>(), 0..20),
        ) {
            let checkpoint = Checkpoint { reals, wholes };
            let back = checkpoint.to_string().parse::<Checkpoint>().unwrap();
            let bits = |of: &Checkpoint| of.reals.iter().map(|real| real.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&checkpoint));
            prop_assert_eq!(back.wholes, checkpoint.wholes);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = text.parse::<Checkpoint>();
        }
    }
}
