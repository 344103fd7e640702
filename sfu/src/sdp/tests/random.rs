//! Properties: arbitrary text never panics, and what is answered always reads back.

use proptest::prelude::*;
use sdp_types::Session;

use super::*;

/// Lines that an offer might have, in any order and number.
fn line() -> impl Strategy<Value = String> {
    let known: Vec<String> = ALL.iter().flat_map(|text| text.lines().map(str::to_owned)).collect();
    prop_oneof![
        8 => proptest::sample::select(known),
        1 => "a=[a-z-]{1,12}:[ -~]{0,40}",
        1 => "[a-z]=[ -~]{0,40}",
        1 => ".{0,20}",
    ]
}

/// One change to a good offer: a line lost, doubled, swapped or replaced, or some bytes.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5u8, line());
    (0..ALL.len(), proptest::collection::vec(change, 1..6)).prop_map(|(which, changes)| {
        let mut lines: Vec<String> = ALL[which].lines().map(str::to_owned).collect();
        for (a, b, kind, new) in changes {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            match kind {
                0 if lines.len() > 1 => drop(lines.remove(a)),
                1 => lines.insert(a, lines[b].clone()),
                2 => lines.swap(a, b),
                3 => lines[a] = new,
                _ => {
                    let keep = b % (lines[a].chars().count() + 1);
                    lines[a] = lines[a].chars().take(keep).collect();
                }
            }
        }
        lines.join("\r\n") + "\r\n"
    })
}

/// An offer is refused with a message, or answered so that the answer fits it.
fn refused_or_answered(text: &str) -> Result<bool, TestCaseError> {
    let offer = match Offer::parse(text) {
        Ok(offer) => offer,
        Err(error) => {
            let message = error.to_string();
            prop_assert!(!message.is_empty() && message.len() < 1_000);
            prop_assert!(!message.contains(['\r', '\n', '\0']));
            return Ok(false);
        }
    };
    let answer = answer(&offer, &generous(&offer));
    let read =
        Session::parse(answer.as_bytes()).map_err(|e| TestCaseError::fail(format!("{e}: {answer}")))?;
    prop_assert_eq!(read.medias.len(), offer.sections.len());
    for (media, section) in read.medias.iter().zip(&offer.sections) {
        prop_assert_eq!(&media.media, &section.media);
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_refused_or_answered(text in "\\PC{0,400}") {
        refused_or_answered(&text)?;
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        refused_or_answered(&String::from_utf8_lossy(&bytes))?;
        let _ = Fragment::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_lines_are_refused_or_answered(lines in proptest::collection::vec(line(), 0..60)) {
        refused_or_answered(&format!("v=0\r\n{}\r\n", lines.join("\r\n")))?;
    }

    #[test]
    fn mutated_offers_are_refused_or_answered(text in mutated()) {
        refused_or_answered(&text)?;
    }
}

#[test]
fn the_good_offers_are_answered() {
    for text in ALL {
        assert!(matches!(refused_or_answered(text), Ok(true)));
    }
}
