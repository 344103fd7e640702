//! What holds for every call, whatever is offered, asked for and answered.

use proptest::prelude::*;

use super::{CodecMatch, CodecRules, CodecSpec, Flow, Format, can, offer, plan};
use crate::ng::sdp::codecs::Carry;

const POOL: [(&str, u32, u8); 12] = [
    ("PCMU", 8_000, 1),
    ("PCMA", 8_000, 1),
    ("G722", 8_000, 1),
    ("opus", 48_000, 2),
    ("G729", 8_000, 1),
    ("GSM", 8_000, 1),
    ("AMR", 8_000, 1),
    ("telephone-event", 8_000, 1),
    ("telephone-event", 48_000, 1),
    ("CN", 8_000, 1),
    ("L16", 16_000, 1),
    ("red", 48_000, 2),
];

fn list() -> impl Strategy<Value = Vec<Format>> {
    let entry = (proptest::sample::select(POOL.to_vec()), 0_u8..128);
    proptest::collection::vec(entry, 1..8).prop_map(|entries| {
        let mut formats: Vec<Format> = Vec::new();
        for ((name, rate, channels), number) in entries {
            let format = Format::new(number, name, rate, channels);
            let known = |f: &Format| f.payload_type == number || f.is_same_codec(&format);
            if !formats.iter().any(known) {
                formats.push(format);
            }
        }
        formats
    })
}

fn rules() -> impl Strategy<Value = CodecRules> {
    let names = || {
        let entry = prop_oneof![
            4 => proptest::sample::select(POOL.to_vec()).prop_map(|row| row.0.to_owned()),
            1 => Just("all".to_owned()),
            1 => Just("full".to_owned()),
        ];
        proptest::collection::vec(entry.prop_map(|text| CodecMatch::parse(&text).unwrap()), 0..2)
    };
    let specs = proptest::collection::vec(
        proptest::sample::select(POOL.to_vec()).prop_map(|row| CodecSpec::parse(row.0).unwrap()),
        0..3,
    );
    (names(), names(), names(), names(), names(), names(), specs, any::<bool>()).prop_map(
        |(strip, mask, consume, accept, except, offer, transcode, single)| CodecRules {
            strip,
            mask,
            consume,
            accept,
            except,
            offer,
            transcode,
            single,
            ..CodecRules::default()
        },
    )
}

fn has_media(formats: &[Format]) -> bool {
    formats.iter().any(|format| !format.is_supplement())
}

/// Payload types that the receiver knows, one manner for the whole stream, and something to send when there is a need.
fn check(flow: &Flow, told: &[Format]) -> Result<(), TestCaseError> {
    let known = |number: u8| told.iter().any(|format| format.payload_type == number);
    for route in &flow.routes {
        match route.carry {
            Carry::Pass(number) => prop_assert!(known(number) && !flow.transcodes()),
            Carry::Transcode => prop_assert!(flow.sends.as_ref().is_some_and(can)),
        }
        let same = flow.routes.iter().filter(|r| r.format.payload_type == route.format.payload_type);
        prop_assert_eq!(same.count(), 1, "two meanings of a payload type");
    }
    for format in [&flow.sends, &flow.events, &flow.noise].into_iter().flatten() {
        prop_assert!(told.contains(format));
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_plan_can_be_carried_out(
        offered in list(),
        rules in rules(),
        answered_from in proptest::collection::vec(any::<prop::sample::Index>(), 1..5),
        foreign in list(),
        renumber in any::<bool>(),
    ) {
        let offer = offer(&offered, &rules, &can);
        let mut numbers: Vec<u8> = offer.formats.iter().map(|format| format.payload_type).collect();
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), offer.formats.len(), "a payload type twice");
        prop_assert!(!has_media(&offered) || has_media(&offer.formats));
        for format in &offer.formats {
            let number = format.payload_type;
            let came = offered.iter().any(|f| f.payload_type == number);
            prop_assert!(came || !(64..96).contains(&number) && number < 128);
            prop_assert!(!came || offered.contains(format) || format.is_event(), "a payload type given again");
        }
        // The answer: some of what was offered, perhaps under numbers of its own, perhaps with what was not.
        let mut answered: Vec<Format> = Vec::new();
        for index in answered_from {
            let mut format = offer.formats[index.index(offer.formats.len())].clone();
            if renumber {
                format.payload_type = format.payload_type.wrapping_add(1) % 128;
            }
            if answered.iter().all(|f| f.payload_type != format.payload_type && !f.is_same_codec(&format)) {
                answered.push(format);
            }
        }
        if renumber {
            let new = foreign.into_iter().next().filter(|f| {
                answered.iter().all(|a| a.payload_type != f.payload_type && !a.is_same_codec(f))
            });
            answered.extend(new);
        }
        let plan = plan(&offer, &answered, &rules, &can);
        if plan.answer.is_empty() {
            prop_assert!(plan.to_answerer.routes.is_empty() && plan.to_offerer.routes.is_empty());
            return Ok(());
        }
        prop_assert!(has_media(&plan.answer));
        for format in &plan.answer {
            let known = |f: &Format| f.is_same_codec(format) || f.payload_type == format.payload_type;
            prop_assert!(offer.usable.iter().any(known), "answered with what was never offered");
        }
        if rules.single {
            prop_assert_eq!(plan.answer.iter().filter(|format| !format.is_supplement()).count(), 1);
        }
        check(&plan.to_answerer, &answered)?;
        check(&plan.to_offerer, &plan.answer)?;
        // Whatever the offerer was told that it may send is carried.
        for format in plan.answer.iter().filter(|format| !format.is_supplement()) {
            let carried = plan.to_answerer.routes.iter().any(|r| r.format.payload_type == format.payload_type);
            prop_assert!(carried, "{} is dropped", format.rtpmap());
        }
    }
}
