//! What a table is: data types, columns, engine, DDL. Pure data, no input or output.
