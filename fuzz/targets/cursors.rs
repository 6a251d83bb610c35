//! Cursors of lists, feeds and logs: a cursor that is accepted is written again with the same meaning, and no other
//! reader accepts it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::events::cursor::Seq;
use platform::graphql::cursor::Position;
use platform::ids::JobId;
use platform::jobs::logs::Place;
use uuid::Uuid;

pub fn check(bytes: &[u8]) {
    let text = super::text(bytes);
    read(&text);
    // Most bytes are no base64, so they are also what stands within it.
    read(&URL_SAFE_NO_PAD.encode(text.as_bytes()));
    read(&URL_SAFE_NO_PAD.encode(bytes));
}

fn read(cursor: &str) {
    let position = Position::decode(cursor);
    let seq = Seq::from_cursor(cursor).ok();
    let job = JobId::from_uuid(Uuid::nil());
    let place = Place::from_cursor(cursor, job, 0).ok();
    if let Some(position) = &position {
        assert_eq!(Position::decode(&position.encode()).as_ref(), Some(position));
    }
    if let Some(seq) = seq {
        assert!(seq.0 >= 0);
        assert_eq!(Seq::from_cursor(&seq.cursor()).ok(), Some(seq));
    }
    if let Some(place) = &place {
        assert_eq!((place.job, place.task), (job, 0));
        assert_eq!(Place::from_cursor(&place.cursor(), job, 0).ok().as_ref(), Some(place));
    }
    let takers = usize::from(position.is_some()) + usize::from(seq.is_some()) + usize::from(place.is_some());
    assert!(takers <= 1, "{takers} readers take {cursor:?}");
}
