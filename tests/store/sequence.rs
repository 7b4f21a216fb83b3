//! The rules of numbers, against a small model and with many who write at once.

use std::collections::{BTreeMap, BTreeSet};

use fernwire::store::{AccountId, RECENT};
use proptest::prelude::*;

use crate::scene::{Scene, post, room, to};

const ROOMS: [&str; 3] = ["#lobby", "#a", "#b"];
const PEOPLE: [&str; 3] = ["ada", "bob", "cyd"];

#[derive(Debug, Clone)]
enum Step {
    Join(usize, usize),
    Leave(usize, usize),
    Post(usize, usize, u8),
    Tell(usize, usize, u8),
    Read(usize, usize, u64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3usize, 0..3usize).prop_map(|(who, room)| Step::Join(who, room)),
        1 => (0..3usize, 0..3usize).prop_map(|(who, room)| Step::Leave(who, room)),
        8 => (0..3usize, 0..3usize, 0..60u8).prop_map(|(who, room, id)| Step::Post(who, room, id)),
        3 => (0..3usize, 0..3usize, 0..60u8).prop_map(|(who, whom, id)| Step::Tell(who, whom, id)),
        2 => (0..3usize, 0..3usize, 0..40u64).prop_map(|(who, room, seq)| Step::Read(who, room, seq)),
        1 => Just(Step::Restart),
    ]
}

/// What the store should hold. A conversation is known by its sorted names.
#[derive(Default)]
struct Model {
    said: BTreeMap<String, Vec<(usize, u8)>>,
    members: BTreeSet<(usize, String)>,
    read: BTreeMap<(usize, String), u64>,
    posted: BTreeMap<(usize, u8), (String, u64)>,
}

impl Model {
    fn last(&self, place: &str) -> u64 {
        self.said.get(place).map_or(0, |said| said.len() as u64)
    }

    fn enter(&mut self, who: usize, place: &str) {
        let recent = self.last(place).saturating_sub(RECENT);
        if self.members.insert((who, place.to_owned())) {
            let read = self.read.entry((who, place.to_owned())).or_default();
            *read = recent.max(*read);
        }
    }

    /// Where the post stands, and whether it stood there before.
    fn say(&mut self, who: usize, place: &str, id: u8) -> (u64, bool) {
        if let Some((_, seq)) = self.posted.get(&(who, id)) {
            return (*seq, true);
        }
        self.said.entry(place.to_owned()).or_default().push((who, id));
        let seq = self.last(place);
        self.posted.insert((who, id), (place.to_owned(), seq));
        let read = self.read.entry((who, place.to_owned())).or_default();
        if *read == seq - 1 {
            *read = seq;
        }
        (seq, false)
    }
}

fn direct(a: usize, b: usize) -> String {
    format!("{} {}", PEOPLE[a.min(b)], PEOPLE[a.max(b)])
}

async fn follow(steps: Vec<Step>) {
    let mut scene = Scene::new();
    let mut model = Model::default();
    let mut people = Vec::new();
    for name in PEOPLE {
        people.push(scene.sign_up(name).await);
    }
    for step in steps {
        scene = take(scene, &mut model, &people, step).await;
    }
    compare(&scene, &model, &people).await;
}

async fn take(scene: Scene, model: &mut Model, people: &[AccountId], step: Step) -> Scene {
    let name = |place: usize| ROOMS[place];
    match step {
        Step::Join(who, place) => {
            scene.join(people[who], name(place)).await;
            model.enter(who, name(place));
        }
        Step::Leave(who, place) => {
            let was_there = model.members.remove(&(who, name(place).to_owned()));
            assert_eq!(scene.store.leave(people[who], &room(name(place))).await.unwrap(), was_there);
        }
        Step::Post(who, place, id) => {
            let posted = scene.say(people[who], name(place), &id.to_string()).await;
            let known = model.posted.contains_key(&(who, id));
            let allowed = known || model.members.contains(&(who, name(place).to_owned()));
            assert_eq!(posted.is_ok(), allowed);
            if let Ok(posted) = posted {
                assert_eq!((posted.seq, posted.repeated), model.say(who, name(place), id));
            }
        }
        Step::Tell(who, whom, id) => {
            let posted = scene.say(people[who], PEOPLE[whom], &id.to_string()).await.unwrap();
            let place = direct(who, whom);
            if !posted.repeated {
                model.enter(who, &place);
                model.enter(whom, &place);
            }
            assert_eq!((posted.seq, posted.repeated), model.say(who, &place, id));
        }
        Step::Read(who, place, seq) => {
            if let Some(membership) = scene.membership(people[who], name(place)).await {
                scene.store.mark_read(people[who], membership.id, seq).await.unwrap();
                let last = model.last(name(place));
                let read = model.read.entry((who, name(place).to_owned())).or_default();
                *read = seq.min(last).max(*read);
            }
        }
        Step::Restart => return scene.restart().await,
    }
    scene
}

async fn compare(scene: &Scene, model: &Model, people: &[AccountId]) {
    for (who, account) in people.iter().enumerate() {
        let mut there = BTreeSet::new();
        for membership in scene.store.memberships(*account).await.unwrap() {
            let with = membership.with.to_string();
            let other = PEOPLE.iter().position(|name| *name == with);
            let place = other.map_or(with.clone(), |other| direct(who, other));
            assert_eq!(membership.last, model.last(&place), "{place}");
            assert_eq!(membership.read, model.read[&(who, place.clone())], "{place}");
            let entries = scene.entries(*account, &with).await;
            let said: Vec<_> = model.said.get(&place).cloned().unwrap_or_default();
            let expected: Vec<_> = (1..).zip(said).map(|(seq, (who, id))| (seq, PEOPLE[who].to_owned(), id)).collect();
            let found: Vec<_> =
                entries.into_iter().map(|e| (e.seq, e.author.to_string(), e.text.parse().unwrap())).collect();
            assert_eq!(found, expected, "{place}");
            there.insert((who, place));
        }
        let expected: BTreeSet<_> = model.members.iter().filter(|(member, _)| *member == who).cloned().collect();
        assert_eq!(there, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn numbers_and_positions_follow_the_model(steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(follow(steps));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_write_at_once_get_every_number_once_in_the_order_of_the_feed() {
    const EACH: u64 = 50;
    let mut scene = Scene::new();
    let mut tasks = Vec::new();
    for i in 0..16 {
        let account = scene.sign_up(&format!("u{i}")).await;
        scene.join(account, "#lobby").await;
        let store = scene.store.clone();
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            for n in 0..EACH {
                mine.push(store.post(post(account, "#lobby", &format!("{i} {n}"))).await.unwrap().unwrap().seq);
            }
            assert!(mine.is_sorted(), "what one says in turn stands in turn");
            mine
        }));
    }
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.extend(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16 * EACH).collect::<Vec<_>>());
    let first = scene.sign_up("late").await;
    scene.join(first, "#lobby").await;
    let entries = scene.entries(first, "#lobby").await;
    for (seq, entry) in (1..).zip(entries) {
        let committed = scene.feed.next().await.unwrap();
        assert_eq!((committed.entry.seq, &*committed.entry), (seq, &entry));
        assert_eq!(committed.place.id(), scene.store.membership(first, &to("#lobby")).await.unwrap().unwrap().id);
    }
}
