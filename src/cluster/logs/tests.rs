//! Lines, and places between them that hold whatever their stamps are.

use futures::stream;
use proptest::prelude::*;

use super::lines::LONGEST_PIECE;
use super::*;

async fn read_all(text: &[u8]) -> Vec<Stamped> {
    lines(text).map(Result::unwrap).collect().await
}

#[tokio::test]
async fn lines_of_one_instant_are_numbered() {
    let text = b"2026-01-01T00:00:00.5Z one\n2026-01-01T00:00:00.5Z two\n2026-01-01T00:00:01Z three four\n";
    let read = read_all(text).await;
    assert_eq!(read.iter().map(|line| line.position.nth).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(read[2].text, "three four");
}

#[tokio::test]
async fn an_empty_line_is_a_line_and_one_without_a_time_belongs_to_the_instant_before() {
    let read = read_all(b"2026-01-01T00:00:00Z \n2026-01-01T00:00:00Z\nunable to retrieve more\n").await;
    let told: Vec<_> = read.iter().map(|line| (line.position.nth, line.text.as_str())).collect();
    assert_eq!(told, [(1, ""), (2, ""), (3, "unable to retrieve more")]);
}

#[tokio::test]
async fn a_line_without_end_comes_in_pieces_that_are_numbered() {
    let long = "é".repeat(LONGEST_PIECE);
    let read = read_all(format!("2026-01-01T00:00:00Z {long}\n2026-01-01T00:00:00Z next\n").as_bytes()).await;
    let continues: Vec<_> = read.iter().map(|line| line.continues).collect();
    assert_eq!(continues, [false, true, true, false]);
    assert_eq!(read[..3].iter().map(|line| line.text.as_str()).collect::<String>(), long);
    assert!(read.iter().all(|line| line.text.len() <= LONGEST_PIECE));
    assert_eq!(read[3].position.nth, 4);
}

#[tokio::test]
async fn the_last_lines_begin_behind_the_line_before_them() {
    let text = b"2026-01-01T00:00:00Z a\n2026-01-01T00:00:00Z b\n2026-01-01T00:00:01Z c\n";
    let end = ends(lines(&text[..]), Tracker::from(None), 1).await.unwrap();
    let After::Mark(mark) = end.before() else { panic!("there are more") };
    assert_eq!((end.total, mark.since, mark.count), (3, None, 2));
    assert_eq!(ends(lines(&text[..]), Tracker::from(None), 3).await.unwrap().before(), After::Start);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// A log as a kubelet gives it: in the order written, what is older than the second left out.
fn kubelet(stamps: &[i64], since: Option<i64>) -> impl Stream<Item = Result<Stamped, ClusterError>> + Send + Unpin {
    let wanted =
        stamps.iter().enumerate().filter(move |(_, nanos)| since.is_none_or(|since| **nanos >= since * 1_000_000_000));
    let lines: Vec<_> = wanted
        .map(|(index, nanos)| {
            let position = Position { nanos: *nanos, nth: 1 };
            Ok(Stamped { position, text: index.to_string(), continues: false })
        })
        .collect();
    stream::iter(lines)
}

/// The lines behind a place, with their marks.
async fn behind(stamps: &[i64], after: After) -> Vec<Line> {
    let mut tracker = Tracker::from(after.since());
    let mut log = kubelet(stamps, after.since());
    if let After::Mark(mark) = after {
        assert!(pass_over(&mut log, &mut tracker, mark).await.unwrap());
    }
    told(log, tracker, None, false).map(Result::unwrap).collect().await
}

#[tokio::test]
async fn lines_whose_stamps_go_back_are_each_told_once_and_in_order() {
    let second = 1_000_000_000;
    let stamps = [2 * second, second, 3 * second];
    for cut in 0..3 {
        let before = behind(&stamps, After::Start).await;
        let rest = behind(&stamps, After::Mark(before[cut].mark)).await;
        assert_eq!(rest, before[cut + 1..], "resumed behind line {cut}");
    }
}

#[tokio::test]
async fn a_long_log_is_resumed_from_near_its_end() {
    let stamps: Vec<i64> = (0..40_000).map(|line| 1_800_000_000_000_000_000 + line * 10_000_000).collect();
    let all = behind(&stamps, After::Start).await;
    let mark = all[30_000].mark;
    assert!(mark.since.is_some() && mark.count <= 2 * COUNTED, "{mark:?}");
    assert_eq!(behind(&stamps, After::Mark(mark)).await, all[30_001..]);
}

#[tokio::test]
async fn a_log_that_does_not_begin_where_it_did_is_noticed() {
    let stamps = [1, 2, 3, 4].map(|second| second * 1_000_000_000);
    let mark = behind(&stamps, After::Start).await[2].mark;
    let mut cut = kubelet(&stamps[1..], mark.since);
    assert!(!pass_over(&mut cut, &mut Tracker::from(mark.since), mark).await.unwrap());
    let mut empty = kubelet(&[], mark.since);
    assert!(!pass_over(&mut empty, &mut Tracker::from(mark.since), mark).await.unwrap());
}

#[tokio::test]
async fn an_older_cursor_s_instant_is_good() {
    let stamps = [1, 2, 2, 3].map(|second| second * 1_000_000_000);
    let position = Position { nanos: stamps[1], nth: 1 };
    let log = lines(&b"1970-01-01T00:00:02Z a\n1970-01-01T00:00:02Z b\n1970-01-01T00:00:01Z c\n"[..]);
    let told: Vec<Line> = told(log, Tracker::from(Some(2)), Some(position), false).map(Result::unwrap).collect().await;
    assert_eq!(told.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["b", "c"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_stamps_and_the_cuts_every_line_is_told_once_and_in_order(
        stamps in proptest::collection::vec(-5i64..100_000_000_000_000, 1..60),
        cuts in proptest::collection::vec(1usize..20, 1..10),
    ) {
        let told = block_on(async {
            let (mut after, mut told) = (After::Start, Vec::new());
            for cut in cuts.iter().chain([&stamps.len()]) {
                let rest = behind(&stamps, after).await;
                let part = &rest[..rest.len().min(*cut)];
                told.extend(part.iter().map(|line| line.text.clone()));
                after = part.last().map_or(after, |line| After::Mark(line.mark));
            }
            told
        });
        let all: Vec<_> = (0..stamps.len()).map(|index| index.to_string()).collect();
        prop_assert_eq!(told, all);
    }

    #[test]
    fn a_place_has_one_mark_wherever_its_reader_began(
        steps in proptest::collection::vec(-3_000_000_000i64..4_000_000_000, 5_500..6_500), cut in 0usize..5_400,
    ) {
        let mut now = 1_800_000_000_000_000_000;
        let stamps: Vec<i64> = steps.iter().map(|step| { now += step; now }).collect();
        let (all, rest) = block_on(async {
            let all = behind(&stamps, After::Start).await;
            let rest = behind(&stamps, After::Mark(all[cut].mark)).await;
            (all, rest)
        });
        // Of those that were stamped too far back only who followed knows.
        let mut expected = all.iter();
        for line in &rest {
            prop_assert!(expected.any(|known| known == line), "{line:?}");
        }
    }

    #[test]
    fn no_text_is_lost(text in proptest::collection::vec("[ -~é]{0,30}", 0..20)) {
        let log: String = text.iter().map(|line| format!("2026-01-01T00:00:00Z {line}\n")).collect();
        let read = futures::executor::block_on(read_all(log.as_bytes()));
        prop_assert!(read.windows(2).all(|pair| pair[0].position < pair[1].position));
        prop_assert_eq!(read.into_iter().map(|line| line.text).collect::<Vec<_>>(), text);
    }
}
