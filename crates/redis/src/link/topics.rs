//! What is to be listened to, and the steps from one such list to another.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Names in one command. Redis confirms each; a command with all of ten thousand would hold the
/// others up.
const NAMES_PER_STEP: usize = 500;

/// What one namespace listens to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// Patterns, subscribed first.
    pub patterns: Vec<Box<str>>,
    /// Channels, subscribed next.
    pub channels: Vec<Box<str>>,
    /// The channel whose subscribers others count: subscribed when everything else is there, and
    /// left before anything else is.
    pub counted: Box<str>,
}

/// Topics by their counted channel.
pub(super) type TopicMap = BTreeMap<Box<str>, Topic>;

/// The list, which the instance changes and the connection follows.
#[derive(Debug, Default)]
pub(super) struct Topics {
    wanted: Mutex<TopicMap>,
    changed: Notify,
}

impl Topics {
    pub(super) fn lock(&self) -> MutexGuard<'_, TopicMap> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn serve(&self, topic: Topic) {
        self.lock().insert(topic.counted.clone(), topic);
        self.changed.notify_one();
    }

    pub(super) fn leave(&self, counted: &str) {
        self.lock().remove(counted);
        self.changed.notify_one();
    }

    /// Completes when the list may have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// One command about subscriptions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Subscribe(Vec<Box<str>>),
    SubscribePatterns(Vec<Box<str>>),
    Unsubscribe(Vec<Box<str>>),
    UnsubscribePatterns(Vec<Box<str>>),
}

/// The steps from what is listened to, to what should be. An instance that is counted can answer.
pub(super) fn steps(is: &TopicMap, wanted: &TopicMap) -> Vec<Step> {
    let gone: Vec<&Topic> = is.values().filter(|it| wanted.get(&it.counted) != Some(*it)).collect();
    let new: Vec<&Topic> = wanted.values().filter(|it| is.get(&it.counted) != Some(*it)).collect();
    let counted = |it: &&Topic| vec![it.counted.clone()];
    let channels = |it: &&Topic| it.channels.clone();
    let patterns = |it: &&Topic| it.patterns.clone();
    let mut steps = Vec::new();
    push(&mut steps, gone.iter().flat_map(counted), Step::Unsubscribe);
    push(&mut steps, gone.iter().flat_map(channels), Step::Unsubscribe);
    push(&mut steps, gone.iter().flat_map(patterns), Step::UnsubscribePatterns);
    push(&mut steps, new.iter().flat_map(patterns), Step::SubscribePatterns);
    push(&mut steps, new.iter().flat_map(channels), Step::Subscribe);
    push(&mut steps, new.iter().flat_map(counted), Step::Subscribe);
    steps
}

fn push(
    steps: &mut Vec<Step>,
    names: impl Iterator<Item = Box<str>>,
    step: fn(Vec<Box<str>>) -> Step,
) {
    let names: Vec<_> = names.collect();
    steps.extend(names.chunks(NAMES_PER_STEP).map(|it| step(it.to_vec())));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, own: &str) -> Topic {
        Topic {
            patterns: vec![format!("{name}*").into()],
            channels: vec![format!("{name}-answers").into(), format!("{name}-{own}").into()],
            counted: name.into(),
        }
    }

    fn map(topics: &[Topic]) -> TopicMap {
        topics.iter().map(|it| (it.counted.clone(), it.clone())).collect()
    }

    fn names(list: &[&str]) -> Vec<Box<str>> {
        list.iter().map(|it| Box::from(*it)).collect()
    }

    #[test]
    fn the_counted_channel_comes_last_and_goes_first() {
        let (none, both) = (map(&[]), map(&[topic("a", "1"), topic("b", "1")]));
        let up = [
            Step::SubscribePatterns(names(&["a*", "b*"])),
            Step::Subscribe(names(&["a-answers", "a-1", "b-answers", "b-1"])),
            Step::Subscribe(names(&["a", "b"])),
        ];
        assert_eq!(steps(&none, &both), up);
        let down = [
            Step::Unsubscribe(names(&["a", "b"])),
            Step::Unsubscribe(names(&["a-answers", "a-1", "b-answers", "b-1"])),
            Step::UnsubscribePatterns(names(&["a*", "b*"])),
        ];
        assert_eq!(steps(&both, &none), down);
        assert_eq!(steps(&both, &both), []);
    }

    #[test]
    fn a_namespace_that_came_again_is_another() {
        let found = steps(&map(&[topic("a", "1")]), &map(&[topic("a", "2")]));
        assert_eq!(found.first(), Some(&Step::Unsubscribe(names(&["a"]))));
        assert_eq!(found.last(), Some(&Step::Subscribe(names(&["a"]))));
    }

    #[test]
    fn many_names_take_several_steps() {
        let many: Vec<Topic> = (0..1_200).map(|it| topic(&format!("n{it}"), "1")).collect();
        assert_eq!(steps(&map(&[]), &map(&many)).len(), 3 + 5 + 3);
    }
}
