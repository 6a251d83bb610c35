//! Image references: kept as written, and parsed into exactly the parts of the text.

use platform::cluster::image::ImageReference;

pub fn check(bytes: &[u8]) {
    let text = super::text(bytes);
    let Ok(image) = text.parse::<ImageReference>() else { return };
    assert_eq!(image.as_str(), text);
    let normalized = image.normalized();
    let again: ImageReference = normalized.parse().unwrap_or_else(|error| panic!("{text:?} became {error}"));
    assert_eq!(again.normalized(), normalized);
    assert_eq!((again.registry(), again.repository()), (image.registry(), image.repository()));
    assert_eq!(again.digest(), image.digest());
    // A tag stays, and is only made up where neither a tag nor a digest says which.
    let made_up = (image.tag().is_none() && image.digest().is_none()).then_some("latest");
    assert_eq!(again.tag(), image.tag().or(made_up));
}
