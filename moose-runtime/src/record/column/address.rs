//! `IPv4` and `IPv6` for the addresses of `std::net`. An `IpAddr`, which may be either, is an `IPv6`, in which an IPv4
//! address is mapped: `::ffff:192.0.2.1` for `192.0.2.1`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::de::Deserializer;

use super::{ColumnType, Holds, MapKeyColumn, Scalar, ScalarColumn, scalar::read_text};
use crate::record::{DataType, ValueError, native::write_fixed};

/// An address of `IPv4`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Address4(u32);

/// An address of `IPv6`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Address6([u8; 16]);

/// Values of `IPv4`.
pub type Ipv4Column = ScalarColumn<Address4>;
/// Values of `IPv6`.
pub type Ipv6Column = ScalarColumn<Address6>;

impl Scalar for Address4 {
    const DATA_TYPE: DataType = DataType::Ipv4;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |address| address.0.to_le_bytes());
    }
}

impl Scalar for Address6 {
    const DATA_TYPE: DataType = DataType::Ipv6;

    fn write(values: &[Self], out: &mut Vec<u8>) {
        write_fixed(out, values, |address| address.0);
    }
}

/// Reads an address from a JSON string.
fn read<'de, A: FromStr, S, D: Deserializer<'de>>(
    input: D,
    expected: &'static str,
    keep: impl FnOnce(&A) -> Result<S, ValueError>,
) -> Result<S, D::Error> {
    read_text(input, expected, |text| keep(&text.parse().map_err(|_| ValueError::invalid_value(expected))?))
}

impl Holds<Ipv4Addr> for Address4 {
    fn of(value: &Ipv4Addr) -> Result<Self, ValueError> {
        Ok(Self(value.to_bits()))
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read(input, "an IPv4 address such as \"192.0.2.1\"", Self::of)
    }
}

impl Holds<Ipv6Addr> for Address6 {
    fn of(value: &Ipv6Addr) -> Result<Self, ValueError> {
        Ok(Self(value.octets()))
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read(input, "an IPv6 address such as \"2001:db8::1\"", <Self as Holds<Ipv6Addr>>::of)
    }
}

impl Holds<IpAddr> for Address6 {
    fn of(value: &IpAddr) -> Result<Self, ValueError> {
        Ok(Self(match value {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }))
    }

    fn read<'de, D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read(input, "an IP address such as \"192.0.2.1\" or \"2001:db8::1\"", <Self as Holds<IpAddr>>::of)
    }
}

#[diagnostic::do_not_recommend]
impl MapKeyColumn for Ipv4Column {}
#[diagnostic::do_not_recommend]
impl MapKeyColumn for Ipv6Column {}

#[diagnostic::do_not_recommend]
impl ColumnType for Ipv4Addr {
    type Column = Ipv4Column;
}
#[diagnostic::do_not_recommend]
impl ColumnType for Ipv6Addr {
    type Column = Ipv6Column;
}
#[diagnostic::do_not_recommend]
impl ColumnType for IpAddr {
    type Column = Ipv6Column;
}
