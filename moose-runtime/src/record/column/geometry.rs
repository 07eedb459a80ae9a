//! ClickHouse's geometry types. A point is a tuple of two floats, everything else nested arrays of points, in JSON too.

use serde::{Deserialize, Serialize, de::Deserializer};

use super::{ArrayColumn, Column, ColumnType, NumberColumn, Stores};
use crate::record::{DataType, Findings, Node, Place, ValueError};

/// `Point`: x and y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point(pub f64, pub f64);

/// `Ring`: a polygon without holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring(pub Vec<Point>);

/// `LineString`: points one after another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineString(pub Vec<Point>);

/// `MultiLineString`: several lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MultiLineString(pub Vec<LineString>);

/// `Polygon`: its outer ring, then its holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Polygon(pub Vec<Ring>);

/// `MultiPolygon`: several polygons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MultiPolygon(pub Vec<Polygon>);

macro_rules! shapes {
    ($($shape:ident, $column:ident, $inside:ty, $inner:ty, $value:ident => $as_inside:expr;)*) => { $(
        #[doc = concat!("Values of `", stringify!($shape), "`.")]
        #[derive(Debug, Default)]
        pub struct $column($inner);

        impl Column for $column {
            const DATA_TYPE: DataType = DataType::$shape;

            fn rows(&self) -> usize {
                self.0.rows()
            }

            fn byte_size(&self) -> usize {
                self.0.byte_size()
            }

            fn truncate(&mut self, rows: usize) {
                self.0.truncate(rows);
            }

            fn push_default(&mut self) {
                self.0.push_default();
            }

            fn write_data(&self, out: &mut Vec<u8>) {
                self.0.write_data(out);
            }
        }

        impl Stores<$shape> for $column {
            fn append(&mut self, $value: &$shape) -> Result<(), ValueError> {
                <$inner as Stores<$inside>>::append(&mut self.0, $as_inside)
            }

            fn append_json<'de, D: Deserializer<'de>>(&mut self, input: D) -> Result<(), D::Error> {
                <$inner as Stores<$inside>>::append_json(&mut self.0, input)
            }

            fn explain(input: Node<'_>, place: &Place<'_>, findings: &mut Findings) {
                <$inner as Stores<$inside>>::explain(input, place, findings);
            }
        }

        #[diagnostic::do_not_recommend]
        impl ColumnType for $shape {
            type Column = $column;
        }
    )* };
}

shapes! {
    Point, PointColumn, (f64, f64), (NumberColumn<f64>, NumberColumn<f64>), value => &(value.0, value.1);
    Ring, RingColumn, Vec<Point>, ArrayColumn<PointColumn>, value => &value.0;
    LineString, LineStringColumn, Vec<Point>, ArrayColumn<PointColumn>, value => &value.0;
    MultiLineString, MultiLineStringColumn, Vec<LineString>, ArrayColumn<LineStringColumn>, value => &value.0;
    Polygon, PolygonColumn, Vec<Ring>, ArrayColumn<RingColumn>, value => &value.0;
    MultiPolygon, MultiPolygonColumn, Vec<Polygon>, ArrayColumn<PolygonColumn>, value => &value.0;
}
