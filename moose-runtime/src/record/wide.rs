//! Integers of 256 bits, which Rust doesn't have: as much arithmetic as parsing and storing them needs.

use std::{cmp::Ordering, fmt, str::FromStr};

/// An unsigned integer of 256 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UInt256 {
    /// Least significant first.
    limbs: [u64; 4],
}

/// A signed integer of 256 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Int256 {
    /// The two's complement.
    bits: UInt256,
}

/// The text is not an integer, or too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an integer of 256 bits in decimal digits")]
pub struct NotWide;

impl UInt256 {
    /// 0
    pub const ZERO: Self = Self { limbs: [0; 4] };
    /// 2^256 - 1
    pub const MAX: Self = Self { limbs: [u64::MAX; 4] };

    /// From its bytes, the least significant first.
    pub fn from_le_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Self { limbs }
    }

    /// Its bytes, the least significant first.
    pub fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.limbs) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    /// The number times `factor` plus `more`, if that fits.
    pub(super) fn times_plus(self, factor: u64, more: u64) -> Option<Self> {
        let mut carry = more;
        let mut limbs = self.limbs;
        for limb in &mut limbs {
            (*limb, carry) = limb.carrying_mul(factor, carry);
        }
        (carry == 0).then_some(Self { limbs })
    }

    /// The quotient by `divisor`, which must not be 0, and the remainder.
    fn divided(self, divisor: u64) -> (Self, u64) {
        let mut remainder = 0_u128;
        let mut limbs = self.limbs;
        for limb in limbs.iter_mut().rev() {
            let whole = remainder << 64 | u128::from(*limb);
            let quotient = whole / u128::from(divisor);
            *limb = u64::try_from(quotient).unwrap_or(u64::MAX);
            remainder = whole % u128::from(divisor);
        }
        (Self { limbs }, u64::try_from(remainder).unwrap_or(0))
    }

    /// 10 to this power, up to the largest that fits.
    pub(super) fn ten_to_the(power: u8) -> Self {
        (0..power).fold(Self::from(1), |value, _| value.times_plus(10, 0).unwrap_or(Self::MAX))
    }

    /// The two's complement.
    fn negated(self) -> Self {
        let mut carry = true;
        let mut limbs = self.limbs;
        for limb in &mut limbs {
            let (sum, over) = (!*limb).overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over);
        }
        Self { limbs }
    }

    /// The same value in 128 bits, if it fits.
    pub(super) fn narrow(self) -> Option<u128> {
        let [low, high, 0, 0] = self.limbs else { return None };
        Some(u128::from(high) << 64 | u128::from(low))
    }
}

impl Int256 {
    /// -2^255
    pub const MIN: Self = Self { bits: UInt256 { limbs: [0, 0, 0, 1 << 63] } };
    /// 2^255 - 1
    pub const MAX: Self = Self { bits: UInt256 { limbs: [u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 1] } };

    /// The number with this sign and magnitude, if it fits.
    pub(super) fn new(negative: bool, magnitude: UInt256) -> Option<Self> {
        let bits = if negative { magnitude.negated() } else { magnitude };
        let number = Self { bits };
        (number.is_negative() == negative || magnitude == UInt256::ZERO).then_some(number)
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.bits.limbs[3] >> 63 == 1
    }

    /// From its bytes, the least significant first.
    pub fn from_le_bytes(bytes: [u8; 32]) -> Self {
        Self { bits: UInt256::from_le_bytes(bytes) }
    }

    /// Its bytes, the least significant first.
    pub fn to_le_bytes(self) -> [u8; 32] {
        self.bits.to_le_bytes()
    }

    fn magnitude(self) -> UInt256 {
        if self.is_negative() { self.bits.negated() } else { self.bits }
    }
}

impl Ord for UInt256 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }
}

impl PartialOrd for UInt256 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Int256 {
    fn cmp(&self, other: &Self) -> Ordering {
        other.is_negative().cmp(&self.is_negative()).then_with(|| self.bits.cmp(&other.bits))
    }
}

impl PartialOrd for Int256 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<u128> for UInt256 {
    fn from(value: u128) -> Self {
        let mut bytes = [0; 32];
        for (byte, from) in bytes.iter_mut().zip(value.to_le_bytes()) {
            *byte = from;
        }
        Self::from_le_bytes(bytes)
    }
}

impl From<i128> for Int256 {
    fn from(value: i128) -> Self {
        let magnitude = UInt256::from(value.unsigned_abs());
        Self { bits: if value < 0 { magnitude.negated() } else { magnitude } }
    }
}

impl fmt::Display for UInt256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nineteen digits at a time, which is what 64 bits hold.
        const CHUNK: u64 = 10_u64.pow(19);
        let (mut rest, mut chunks) = (*self, Vec::new());
        while rest != Self::ZERO {
            let (quotient, remainder) = rest.divided(CHUNK);
            chunks.push(remainder);
            rest = quotient;
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.into_iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        formatter.pad_integral(true, "", &text)
    }
}

impl fmt::Display for Int256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad_integral(!self.is_negative(), "", &self.magnitude().to_string())
    }
}

impl FromStr for UInt256 {
    type Err = NotWide;

    fn from_str(text: &str) -> Result<Self, NotWide> {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
        let mut value = if text.is_empty() { None } else { Some(Self::ZERO) };
        for byte in text.bytes() {
            value = value.zip(digit(byte)).and_then(|(value, digit)| value.times_plus(10, digit));
        }
        value.ok_or(NotWide)
    }
}

impl FromStr for Int256 {
    type Err = NotWide;

    fn from_str(text: &str) -> Result<Self, NotWide> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        Self::new(negative, digits.parse()?).ok_or(NotWide)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_those_of_128_bits_where_both_have_the_number(unsigned: u128, signed: i128) {
            prop_assert_eq!(UInt256::from(unsigned).to_string(), unsigned.to_string());
            prop_assert_eq!(Int256::from(signed).to_string(), signed.to_string());
            prop_assert_eq!(unsigned.to_string().parse(), Ok(UInt256::from(unsigned)));
            prop_assert_eq!(signed.to_string().parse(), Ok(Int256::from(signed)));
        }

        #[test]
        fn a_number_is_the_one_that_its_text_stands_for(bytes: [u8; 32], others: [u8; 32]) {
            let (unsigned, signed) = (UInt256::from_le_bytes(bytes), Int256::from_le_bytes(bytes));
            prop_assert_eq!(unsigned.to_string().parse(), Ok(unsigned));
            prop_assert_eq!(signed.to_string().parse(), Ok(signed));
            prop_assert_eq!(signed.to_le_bytes(), bytes);
            let other = Int256::from_le_bytes(others);
            prop_assert_eq!(signed.is_negative() && !other.is_negative(), signed < other && signed.is_negative() != other.is_negative());
        }
    }

    #[test]
    fn the_bounds_are_the_bounds() {
        let most = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
        assert_eq!(Int256::MAX.to_string(), most);
        assert_eq!(Int256::MIN.to_string(), format!("-{}", most.replace("9967", "9968")));
        assert_eq!(most.replace("9967", "9968").parse::<Int256>(), Err(NotWide));
        for text in ["", "-", "1.0", "1e3", "+1", " 1"] {
            assert_eq!(text.parse::<Int256>(), Err(NotWide), "{text}");
        }
        assert!(Int256::MIN < Int256::default() && Int256::default() < Int256::MAX);
    }
}
