//! Quantities, by the facts of apimachinery's own tests (`pkg/api/resource/quantity_test.go`).

use super::Quantity;
use insta::assert_snapshot;
use proptest::prelude::*;

fn quantity(text: &str) -> Quantity {
    text.parse().unwrap()
}

#[test]
fn a_quantity_is_kept_as_written_and_compared_by_value() {
    assert_eq!(quantity("1Gi").to_string(), "1Gi");
    assert_eq!(quantity("1Gi"), quantity("1024Mi"));
    assert_eq!(quantity("0.5"), quantity("500m"));
    assert_eq!(quantity("1e3"), quantity("1k"));
    assert_eq!(quantity("+1."), quantity(".001k"));
    assert!(quantity("1Gi") > quantity("1G"));
    assert!(quantity("-1") < quantity("0"));
}

/// Texts of apimachinery's tests: how each is read, in billionths, and how it is written again.
#[rustfmt::skip]
const READ: &[(&str, i128, &str)] = &[
    ("0", 0, "0"), ("00", 0, "0"), ("0n", 0, "0"), ("0u", 0, "0"), ("0m", 0, "0"), ("0k", 0, "0"), ("0Ki", 0, "0"),
    ("0Ti", 0, "0"), ("0T", 0, "0"), ("1", NANO, "1"), ("9", 9 * NANO, "9"), ("1.", NANO, "1"), ("1.G", GIGA, "1G"),
    // Binary suffixes.
    ("1Ki", NANO << 10, "1Ki"), ("8Ki", NANO << 13, "8Ki"), ("7Mi", 7 * (NANO << 20), "7Mi"),
    ("6Gi", 6 * (NANO << 30), "6Gi"), ("5Ti", 5 * (NANO << 40), "5Ti"), ("4Pi", 4 * (NANO << 50), "4Pi"),
    ("3Ei", 3 * (NANO << 60), "3Ei"), ("100Ti", 100 * (NANO << 40), "100Ti"), ("0.5Mi", NANO << 19, "512Ki"),
    ("1024Mi", NANO << 30, "1Gi"), ("307200Ki", 300 * (NANO << 20), "300Mi"), ("1025024Mi", 1001 * (NANO << 30), "1001Gi"),
    ("1024Gi", NANO << 40, "1Ti"), ("1001Gi", 1001 * (NANO << 30), "1001Gi"),
    // Decimal suffixes.
    ("5n", 5, "5n"), ("4u", 4_000, "4u"), ("3m", 3_000_000, "3m"), ("8k", 8_000 * NANO, "8k"),
    ("50k", 50_000 * NANO, "50k"), ("7M", 7 * MEGA, "7M"), ("6G", 6 * GIGA, "6G"), ("5T", 5_000 * GIGA, "5T"),
    ("40T", 40_000 * GIGA, "40T"), ("2P", 2 * MEGA * 1_000_000_000, "2P"), ("1E", GIGA * 1_000_000_000, "1E"),
    ("1000M", GIGA, "1G"), ("0.001T", GIGA, "1G"), ("1000u", 1_000_000, "1m"), ("1.08", 1_080_000_000, "1080m"),
    ("1080000000n", 1_080_000_000, "1080m"), ("1234567M", 1_234_567 * MEGA, "1234567M"), ("80n", 80, "80n"),
    ("1080n", 1_080, "1080n"), ("1080u", 1_080_000, "1080u"), ("12E", 12 * GIGA * 1_000_000_000, "12E"),
    ("1000E", GIGA * 1_000_000_000_000, "1e21"), ("5000E", 5 * GIGA * 1_000_000_000_000, "5e21"),
    // Exponents.
    ("1E-3", 1_000_000, "1e-3"), ("1e3", 1_000 * NANO, "1e3"), ("1E6", MEGA, "1e6"), ("1e9", GIGA, "1e9"),
    ("1E12", 1_000 * GIGA, "1e12"), ("1E18", GIGA * 1_000_000_000, "1e18"), ("1e14", 100_000 * GIGA, "100e12"),
    ("1e13", 10_000 * GIGA, "10e12"), (".001e12", GIGA, "1e9"), ("0.001e0", 1_000_000, "1e-3"),
    ("1000e-12", 1, "1e-9"), ("0.5e0", NANO / 2, "500e-3"), ("0.5e-2", 5_000_000, "5e-3"), ("1.2e3", 1_200 * NANO, "1200"),
    ("1.3E+6", 1_300_000 * NANO, "1300e3"), ("1.7E18", 1_700_000_000 * GIGA, "1700e15"), ("80e-3", 80_000_000, "80e-3"),
    ("300e6", 300 * MEGA, "300e6"),
    // What looks like floating point.
    ("0.001", 1_000_000, "1m"), ("0.0005k", NANO / 2, "500m"), ("0.00050k", NANO / 2, "500m"), ("0.05000", 50_000_000, "50m"),
    ("10.035M", 10_035_000 * NANO, "10035k"), ("9.01", 9_010_000_000, "9010m"), ("8.1k", 8_100 * NANO, "8100"),
    ("100.035k", 100_035 * NANO, "100035"), ("6.987654321G", 6_987_654_321 * NANO, "6987654321"),
    ("300.2T", 300_200 * GIGA, "300200G"), ("1.01E", 1_010_000_000 * GIGA, "1010P"), (".001", 1_000_000, "1m"),
    (".0001k", 100_000_000, "100m"),
    // What is finer than a billionth is rounded away from zero.
    ("3.001n", 4, "4n"), ("1.1E-9", 2, "2e-9"), ("0.0000000001", 1, "1n"), ("0.00000000050", 1, "1n"),
    ("0.5e-9", 1, "1e-9"), ("0.9n", 1, "1n"), ("0.00000012345", 124, "124n"), ("0.00000012354", 124, "124n"),
    // Binary suffixes with a fraction.
    ("100.035Ki", 102_435_840_000_000, "102435840m"), ("0.05Gi", 53_687_091_200_000_000, "53687091200m"),
    ("0.025Ti", 27_487_790_694_400_000_000, "27487790694400m"), (".001Ki", 1_024_000_000, "1024m"),
    (".000001Ki", 1_024_000, "1024u"), (".000000001Ki", 1_024, "1024n"), ("0.000000000001Ki", 2, "2n"),
    // Binary suffixes end at 2^63 - 1, decimal ones do not.
    ("9Ei", I64_MAX * NANO, "9223372036854775807"), ("9223372036854775807Ki", I64_MAX * NANO, "9223372036854775807"),
    ("9223372036854775808", (I64_MAX + 1) * NANO, "9223372036854775808"),
];

const NANO: i128 = 1_000_000_000;
const MEGA: i128 = 1_000_000 * NANO;
const GIGA: i128 = 1_000_000_000 * NANO;
const I64_MAX: i128 = i64::MAX as i128;

#[test]
fn texts_are_read_and_written_as_kubernetes_does() {
    for (text, nanos, canonical) in READ {
        assert_eq!((quantity(text).nanos(), quantity(text).canonical().as_str()), (*nanos, *canonical), "{text}");
        assert_eq!(quantity(canonical).canonical(), *canonical, "{text} written, read and written");
    }
}

#[test]
fn a_sign_changes_nothing_else() {
    for (text, nanos, canonical) in READ {
        let (plus, minus) = (quantity(&format!("+{text}")), quantity(&format!("-{text}")));
        assert_eq!((plus.nanos(), plus.canonical().as_str()), (*nanos, *canonical), "+{text}");
        let canonical = if *nanos == 0 { "0".to_owned() } else { format!("-{canonical}") };
        assert_eq!((minus.nanos(), minus.canonical()), (-nanos, canonical), "-{text}");
    }
}

#[test]
fn quantities_are_ordered_by_value() {
    for (less, more) in
        [("50m", "100m"), ("100Gi", "10000T"), ("-1", "0"), ("800m", "1"), ("9Ei", "10E"), ("1e20", "1e21")]
    {
        assert!(quantity(less) < quantity(more), "{less} < {more}");
    }
    assert_eq!(quantity("8Ei"), quantity("9Ei"));
}

#[test]
fn parts_of_a_unit_are_rounded_away_from_zero() {
    for (text, units, millis) in [
        ("9.01", 10, 9_010),
        ("-9.01", -10, -9_010),
        ("100m", 1, 100),
        ("-1500m", -2, -1_500),
        ("1n", 1, 1),
        ("1.5Gi", 1_610_612_736, 1_610_612_736_000),
        ("12e-1", 2, 1_200),
    ] {
        assert_eq!((quantity(text).units(), quantity(text).millis()), (units, millis), "{text}");
    }
}

#[test]
fn what_has_no_end_ends_somewhere() {
    assert_eq!(quantity("1e-100"), quantity("1n"));
    assert_eq!(quantity("-0.1n"), quantity("-1n"));
    assert_eq!(quantity("1e99"), quantity("1e9223372036854775807"));
    assert!(quantity("1e29") < quantity("1e30"));
    assert_eq!(quantity("99999999999999999999999999999999999999999999Ei").units(), I64_MAX);
    assert_eq!(quantity("0e9223372036854775807"), Quantity::zero());
    let greatest = quantity("1e99");
    assert_eq!(&greatest + &greatest, greatest);
    assert_eq!(&quantity("-1e99") - &greatest, quantity("-1e99"));
}

#[test]
fn what_it_is_can_be_asked() {
    assert!(quantity("2").is_whole() && !quantity("1500m").is_whole());
    assert!(quantity("4Mi").is_multiple_of(&quantity("2Mi")) && !quantity("3Mi").is_multiple_of(&quantity("2Mi")));
    assert!(!quantity("1").is_multiple_of(&Quantity::zero()));
    assert!(quantity("1n").is_positive() && !Quantity::zero().is_positive() && quantity("-1n").is_negative());
    assert_snapshot!(Quantity::of_units(2_000), @"2k");
}

#[test]
fn what_is_no_quantity_is_told_what_is() {
    assert_snapshot!("10GB".parse::<Quantity>().unwrap_err(), @r#""10GB" is not a quantity: a number is allowed, alone or followed by n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent such as e3 (for example 500m, 1.5, 10Gi)"#);
    for text in [
        "", "-", ".", "Gi", "e3", "1.1.M", "1+1.0M", "0.1mi", "0.1am", "aoeu", ".5i", "1i", "-3.01i", "-3.01e-", " 1",
        "1 ", "1 Gi", "1ki", "1K", "1e", "1e3m", "0x10", "--1", "١",
    ] {
        assert!(text.parse::<Quantity>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn sums_keep_the_way_of_writing() {
    assert_snapshot!(&quantity("512Mi") + &quantity("512Mi"), @"1Gi");
    assert_snapshot!(&quantity("1") + &quantity("500m"), @"1500m");
    assert_snapshot!(&quantity("1Gi") - &quantity("2Gi"), @"-1Gi");
    for text in ["100m", "1Gi"] {
        let zero = Quantity::zero();
        assert_eq!((&quantity(text) + &zero).as_str(), text);
        assert_eq!((&zero + &quantity(text)).as_str(), text);
        assert_eq!((&quantity(text) - &zero).as_str(), text);
        assert_eq!((&zero - &quantity(text)).to_string(), format!("-{text}"));
    }
    assert_snapshot!([quantity("1Gi"), quantity("1Gi")].iter().sum::<Quantity>(), @"2Gi");
}

#[test]
fn a_number_in_json_is_a_quantity_too() {
    let all: Vec<Quantity> = serde_json::from_str(r#"["10Gi", 2, 0.5]"#).unwrap();
    assert_eq!(serde_json::to_string(&all).unwrap(), r#"["10Gi","2","0.5"]"#);
    assert_eq!(all[2], quantity("500m"));
}

const SUFFIXES: &[&str] =
    &["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-2"];

fn written() -> impl Strategy<Value = String> {
    ("[+-]?[0-9]{1,12}(\\.[0-9]{0,12})?", prop::sample::select(SUFFIXES)).prop_map(|(n, suffix)| format!("{n}{suffix}"))
}

proptest! {
    #[test]
    fn any_text_is_taken_or_refused_without_a_panic(text in ".{0,40}") {
        let _ = text.parse::<Quantity>();
    }

    #[test]
    fn the_canonical_form_has_the_same_value(text in written()) {
        let quantity: Quantity = text.parse().unwrap();
        prop_assert_eq!(&quantity.canonical().parse::<Quantity>().unwrap(), &quantity);
    }

    #[test]
    fn adding_and_taking_away_again_changes_nothing(one in written(), other in written()) {
        let (one, other) = (one.parse::<Quantity>().unwrap(), other.parse::<Quantity>().unwrap());
        let sum = &one + &other;
        if sum.nanos().abs() < i128::MAX {
            prop_assert_eq!(&sum - &other, one);
        }
    }
}
