//! Quantities, with the examples of apimachinery.

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

#[test]
fn suffixes_have_their_values() {
    for (text, units) in [
        ("1k", 1_000),
        ("1E", 1_000_000_000_000_000_000),
        ("1Ki", 1024),
        ("1.5Gi", 1_610_612_736),
        ("1Ei", 1 << 60),
        ("2E1", 20),
        ("12e-1", 2),
        ("100m", 1),
        ("-1500m", -2),
    ] {
        assert_eq!(quantity(text).units(), units, "{text}");
    }
    assert_eq!(quantity("0.5").millis(), 500);
}

#[test]
fn what_is_too_fine_rounds_up_and_what_is_too_great_is_capped() {
    assert_eq!(quantity("0.0000000001"), quantity("1n"));
    assert_eq!(quantity("1e-100"), quantity("1n"));
    assert_eq!(quantity("-0.1n"), quantity("-1n"));
    assert_eq!(quantity("1e100").units(), i128::from(i64::MAX));
    assert_eq!(quantity("99999999999999999999999999999999999999999999Ei").units(), i128::from(i64::MAX));
    assert_eq!(quantity("0e9223372036854775807"), Quantity::zero());
}

#[test]
fn what_is_no_quantity_is_told_what_is() {
    assert_snapshot!("10GB".parse::<Quantity>().unwrap_err(), @r#""10GB" is not a quantity: a number is allowed, alone or followed by n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent such as e3 (for example 500m, 1.5, 10Gi)"#);
    for text in ["", "-", ".", "Gi", "1.2.3", "1 Gi", " 1", "1ki", "1K", "e3", "1e", "1e3m", "0x10", "--1", "1Gi ", "١"]
    {
        assert!(text.parse::<Quantity>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn the_canonical_form_has_the_greatest_suffix_without_a_fraction() {
    for (text, canonical) in [
        ("1.5", "1500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1000", "1k"),
        ("0.5Ki", "512"),
        ("1e6", "1e6"),
        ("1500e-3", "1500e-3"),
        ("0Gi", "0"),
        ("-2048Ki", "-2Mi"),
    ] {
        assert_eq!(quantity(text).canonical(), canonical, "{text}");
    }
}

#[test]
fn sums_keep_the_way_of_writing() {
    assert_snapshot!(&quantity("512Mi") + &quantity("512Mi"), @"1Gi");
    assert_snapshot!(&quantity("1") + &quantity("500m"), @"1500m");
    assert_snapshot!(&quantity("1Gi") - &quantity("2Gi"), @"-1Gi");
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
        // Binary suffixes have no fractional units: those are rounded up, as in Kubernetes.
        let canonical: Quantity = quantity.canonical().parse().unwrap();
        prop_assert!(canonical == quantity || canonical.units() == quantity.units());
    }

    #[test]
    fn adding_and_taking_away_again_changes_nothing(one in written(), other in written()) {
        let (one, other) = (one.parse::<Quantity>().unwrap(), other.parse::<Quantity>().unwrap());
        let sum = &one + &other;
        if sum.units().abs() < i128::from(i64::MAX) {
            prop_assert_eq!(&sum - &other, one);
        }
    }
}
