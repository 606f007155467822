//! The 52 columns of a duration histogram, as pieces of SQL.

/// Puts the pieces that `$make!` makes of each bin's column and index together.
macro_rules! for_bins {
    ($make:ident) => {
        concat!(for_bins!($make low), for_bins!($make high))
    };
    ($make:ident low) => {
        concat!(
            $make!("d00", 0), $make!("d01", 1), $make!("d02", 2), $make!("d03", 3),
            $make!("d04", 4), $make!("d05", 5), $make!("d06", 6), $make!("d07", 7),
            $make!("d08", 8), $make!("d09", 9), $make!("d10", 10), $make!("d11", 11),
            $make!("d12", 12), $make!("d13", 13), $make!("d14", 14), $make!("d15", 15),
            $make!("d16", 16), $make!("d17", 17), $make!("d18", 18), $make!("d19", 19),
            $make!("d20", 20), $make!("d21", 21), $make!("d22", 22), $make!("d23", 23),
            $make!("d24", 24), $make!("d25", 25)
        )
    };
    ($make:ident high) => {
        concat!(
            $make!("d26", 26), $make!("d27", 27), $make!("d28", 28), $make!("d29", 29),
            $make!("d30", 30), $make!("d31", 31), $make!("d32", 32), $make!("d33", 33),
            $make!("d34", 34), $make!("d35", 35), $make!("d36", 36), $make!("d37", 37),
            $make!("d38", 38), $make!("d39", 39), $make!("d40", 40), $make!("d41", 41),
            $make!("d42", 42), $make!("d43", 43), $make!("d44", 44), $make!("d45", 45),
            $make!("d46", 46), $make!("d47", 47), $make!("d48", 48), $make!("d49", 49),
            $make!("d50", 50), $make!("d51", 51)
        )
    };
}

/// `, d00`
macro_rules! bin_column {
    ($column:literal, $at:literal) => {
        concat!(", ", $column)
    };
}

/// `, n.value ->> '$[2][0]'`: the counts are the third element of the row's array.
macro_rules! bin_value {
    ($column:literal, $at:literal) => {
        concat!(", n.value ->> '$[2][", $at, "]'")
    };
}

/// `, d00 = d00 + excluded.d00`
macro_rules! bin_added {
    ($column:literal, $at:literal) => {
        concat!(", ", $column, " = ", $column, " + excluded.", $column)
    };
}

/// `, sum(r.d00)`, without the comma where a half begins.
macro_rules! bin_sum {
    ("d00", $at:literal) => {
        "sum(r.d00)"
    };
    ("d26", $at:literal) => {
        "sum(r.d26)"
    };
    ($column:literal, $at:literal) => {
        concat!(", sum(r.", $column, ")")
    };
}

pub(super) use {bin_added, bin_column, bin_sum, bin_value, for_bins};
