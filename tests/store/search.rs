//! Searching: only where one is, and nothing that is typed means anything but itself.

use fernwire::store::{AccountId, Search};

use crate::scene::{NOW, Scene, here, post, room, to};

async fn found(scene: &Scene, account: AccountId, words: &str) -> Vec<String> {
    let search = Search { words: words.into(), within: None, before: None, limit: 100 };
    let hits = scene.store.search(account, search).await.unwrap();
    hits.into_iter().map(|hit| format!("{} {}", hit.with, hit.entry.text)).collect()
}

#[tokio::test]
async fn one_finds_what_was_said_where_one_is_the_newest_first() {
    let scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    scene.join(ada, "#lobby").await;
    scene.join(ada, "#secret").await;
    scene.join(bob, "#lobby").await;
    for (author, target, text) in [
        (ada, "#lobby", "The fern grows"),
        (ada, "#secret", "a FERN in secret"),
        (bob, "ada", "fernwire, caf\u{e9}?"),
        (bob, "bob", "my own fern"),
    ] {
        scene.say(author, target, text).await.unwrap();
    }
    assert_eq!(
        found(&scene, ada, "fern").await,
        ["bob fernwire, caf\u{e9}?", "#secret a FERN in secret", "#lobby The fern grows"]
    );
    assert_eq!(found(&scene, bob, "fern").await.len(), 3);
    assert_eq!(found(&scene, bob, "secret").await, [] as [&str; 0]);
    assert_eq!(found(&scene, ada, "grows the").await, ["#lobby The fern grows"]);
    assert_eq!(found(&scene, ada, "fer the").await, [] as [&str; 0], "only the last word may be a beginning");
    assert_eq!(found(&scene, ada, "CAFE").await.len(), 1);

    let mut search = Search { words: "fern".into(), within: None, before: None, limit: 2 };
    let first = scene.store.search(ada, search.clone()).await.unwrap();
    search.before = first.last().map(|hit| hit.cursor);
    let rest = scene.store.search(ada, search.clone()).await.unwrap();
    assert_eq!((first.len(), rest.len(), rest[0].entry.seq), (2, 1, 1));
    let within = async |target: &str| {
        let search = Search { words: "fern".into(), within: Some(to(target)), before: None, limit: 9 };
        scene.store.search(ada, search).await.unwrap().len()
    };
    assert_eq!(
        (within("#secret").await, within("bob").await, within("#none").await, within("cyd").await),
        (1, 1, 0, 0)
    );
    scene.store.leave(ada, &"#secret".parse().unwrap()).await.unwrap();
    assert_eq!(within("#secret").await, 0);
}

#[tokio::test]
async fn one_searches_in_a_thousand_rooms_and_finds_no_more_than_asked_for() {
    let scene = Scene::new();
    let ada = scene.sign_up("ada").await;
    let mut joins = Vec::new();
    for i in 0..1000 {
        let store = scene.store.clone();
        joins.push(tokio::spawn(async move {
            let name = format!("#r{i}");
            store.join(ada, &here(), &room(&name), NOW).await.unwrap().unwrap();
            store.post(post(ada, &name, &format!("fern {i}"))).await.unwrap().unwrap();
        }));
    }
    for join in joins {
        join.await.unwrap();
    }
    assert_eq!(found(&scene, ada, "fern").await.len(), 100);
    assert_eq!(found(&scene, ada, "777 fern").await, ["#r777 fern 777"]);
    assert_eq!(found(&scene, ada, "c7").await, [""; 0], "how the index knows a room is no word that was said");
}

#[tokio::test]
async fn what_looks_like_an_expression_is_only_words() {
    let scene = Scene::new();
    let ada = scene.sign_up("ada").await;
    scene.join(ada, "#lobby").await;
    scene.say(ada, "#lobby", "tea AND cake NEAR the \"lake\"").await.unwrap();
    let long = "tea ".repeat(10_000);
    for words in ["AND", "tea AND", "NEAR(", "NEAR(tea cake, 2)", "\"lake\"", "tea -cake", "text:tea", "NOT"] {
        let found = found(&scene, ada, words).await;
        let all_there = !words.contains(['2', ':']) && !words.contains("NOT");
        assert_eq!(found.len(), usize::from(all_there), "{words}");
    }
    let nothing = ["", " ", "\0", "*", "^", "\"", "\"\"", "'", ")", "{", "tea\0x", "\u{301}", "-", "+ +", ":"];
    for words in nothing {
        assert_eq!(found(&scene, ada, words).await.len(), 0, "{words:?}");
    }
    assert_eq!(found(&scene, ada, &long).await.len(), 1);
    assert_eq!(found(&scene, ada, "tea\0").await.len(), 1);
}
