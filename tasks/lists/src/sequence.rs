//! The sequence of an instance: `<bos>`, filler and a bar if the window is fixed, the list, `<ans>`, the answer, `<eos>`.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Instance;

use crate::question::{self, BAR};
use crate::settings::Settings;

const MARKERS: [&str; 4] = ["<bos>", "<ans>", "<eos>", BAR];
const BOS: u32 = 0;
const ANS: u32 = 1;
/// Token of the end of an answer.
pub const EOS: u32 = 2;
const BAR_TOKEN: u32 = 3;

/// The vocabulary: the markers, then the elements.
pub fn vocabulary(settings: &Settings) -> Vec<String> {
    MARKERS.into_iter().map(str::to_owned).chain(settings.elements.words()).collect()
}

/// Token of an element.
pub fn token(element: u32) -> u32 {
    MARKERS.len() as u32 + element
}

/// Writes everything but the columns, and returns the index of the first answer token. Filler is random elements, as
/// many as the list and the answer leave of the window.
pub fn write(list: &[u32], answer: &[u32], settings: &Settings, stream: &mut Stream, instance: &mut Instance) -> usize {
    let filler: Option<Vec<u32>> = settings.window.map(|window| {
        let count = window - list.len() - answer.len();
        (0..count).map(|_| stream.below(u64::from(settings.elements.count)) as u32).collect()
    });
    let words = question::write(list);
    instance.targets = None;
    instance.graded_from = 0;
    instance.tokens.clear();
    instance.tokens.push(BOS);
    match filler {
        None => {
            (instance.canonical, instance.problem) = (None, None);
            instance.question = words;
        }
        Some(filler) => {
            instance.tokens.extend(filler.iter().copied().map(token));
            instance.tokens.push(BAR_TOKEN);
            let filler = question::write(&filler);
            instance.question = format!("{filler} {BAR} {words}").trim_start().to_owned();
            // The list is the problem: filler does not make another one.
            instance.problem = Some(words.len());
            instance.canonical = Some(format!("{words} {BAR} {filler}"));
        }
    }
    instance.tokens.extend(list.iter().copied().map(token));
    instance.tokens.push(ANS);
    let first = instance.tokens.len();
    instance.tokens.extend(answer.iter().copied().map(token));
    instance.tokens.push(EOS);
    instance.answer = question::write(answer);
    instance.loss_mask.clear();
    instance.loss_mask.resize(first, false);
    instance.loss_mask.resize(instance.tokens.len(), true);
    first
}
