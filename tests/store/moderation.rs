//! Keeping order: refused cases first.

use fernwire::model::peer::Source;
use fernwire::store::{AccountId, Authority, Measure, Moderated, Post, Refusal, Until, What, Whom};

use crate::scene::{NOW, Scene, here, post, room, user};

struct Court {
    scene: Scene,
    ada: AccountId,
    bob: AccountId,
}

impl Court {
    /// Ada keeps order in #garden, and Bob is in it.
    async fn new() -> Self {
        let scene = Scene::new();
        let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
        scene.join(ada, "#garden").await;
        scene.join(bob, "#garden").await;
        Self { scene, ada, bob }
    }

    async fn decide(&self, by: Authority, place: Option<&str>, whom: Whom, what: What) -> Result<Moderated, Refusal> {
        let measure = Measure { by, room: place.map(room), whom, what, now: NOW };
        self.scene.store.moderate(measure).await.unwrap()
    }

    async fn ada(&self, whom: &str, what: What) -> Result<Moderated, Refusal> {
        self.decide(Authority::Account(self.ada), Some("#garden"), person(whom), what).await
    }

    async fn server(&self, place: Option<&str>, whom: Whom, what: What) -> Result<Moderated, Refusal> {
        self.decide(Authority::Server, place, whom, what).await
    }

    async fn bob_says(&self, target: &str, text: &str, now: i64) -> Result<u64, Refusal> {
        let post = Post { time: now, ..post(self.bob, target, text) };
        self.scene.store.post(post).await.unwrap().map(|posted| posted.seq)
    }
}

fn person(name: &str) -> Whom {
    Whom::User(user(name))
}

const FOREVER: Option<i64> = None;
const EVERYTHING: [What; 7] = [
    What::Kick,
    What::Ban { until: FOREVER },
    What::Unban,
    What::Mute { until: FOREVER },
    What::Unmute,
    What::Op,
    What::Deop,
];

#[tokio::test]
async fn who_may_not_keep_order_changes_nothing() {
    let court = Court::new().await;
    let cyd = court.scene.sign_up("cyd").await;
    for what in EVERYTHING {
        for by in [court.bob, cyd] {
            let refused = court.decide(Authority::Account(by), Some("#garden"), person("ada"), what).await;
            assert_eq!(refused, Err(Refusal::NotAnOperator), "{what:?}");
            let refused = court.decide(Authority::Account(by), Some("#nowhere"), person("ada"), what).await;
            assert_eq!(refused, Err(Refusal::NoSuchRoom));
        }
        let everywhere = court.decide(Authority::Account(court.ada), None, person("bob"), what).await;
        assert_eq!(everywhere, Err(Refusal::NotAnOperator), "an operator of a room is none of the server");
        let elsewhere = court.decide(Authority::Account(court.ada), Some("#lobby"), person("bob"), what).await;
        assert_eq!(elsewhere, Err(Refusal::NotAnOperator));
        assert_eq!(court.ada("nobody", what).await, Err(Refusal::NoSuchUser(user("nobody"))));
    }
    assert_eq!(court.ada("cyd", What::Kick).await, Err(Refusal::NotThere(user("cyd"), room("#garden"))));
    assert_eq!(court.ada("cyd", What::Op).await, Err(Refusal::NotThere(user("cyd"), room("#garden"))));
    assert_eq!(court.ada("bob", What::Unban).await, Err(Refusal::NotBanned("bob".into())));
    assert_eq!(court.ada("bob", What::Unmute).await, Err(Refusal::NotMuted("bob".into())));
    assert_eq!(court.server(None, person("bob"), What::Op).await, Err(Refusal::NeedsARoom));
    let address = Whom::Address(here());
    assert_eq!(court.server(Some("#garden"), address, What::Op).await, Err(Refusal::NeedsAPerson));
    assert_eq!(court.bob_says("#garden", "still here", NOW).await, Ok(1));
    assert_eq!(court.scene.store.bans().await.unwrap(), []);
}

#[tokio::test]
async fn who_was_kicked_may_come_back_and_who_was_banned_may_not() {
    let court = Court::new().await;
    let kicked = court.ada("BOB", What::Kick).await.unwrap();
    assert_eq!(kicked.accounts, [(court.bob, user("bob"))]);
    assert_eq!(court.bob_says("#garden", "a", NOW).await, Err(Refusal::NotAMember(room("#garden"))));
    court.scene.join(court.bob, "#garden").await;

    let until = Some(NOW + 60_000);
    court.ada("bob", What::Ban { until }).await.unwrap();
    let banned = Refusal::Banned { until: Until(until) };
    assert_eq!(court.scene.membership(court.bob, "#garden").await, None);
    assert_eq!(court.scene.try_join(court.bob, "#garden").await, Err(banned.clone()));
    assert_eq!(court.bob_says("#garden", "a", NOW).await, Err(banned.clone()));
    assert_eq!(banned.to_string(), "you are banned until 1970-01-01T00:17:40Z");
    assert_eq!(court.bob_says("ada", "why?", NOW).await, Ok(1), "only in that room");
    let store = &court.scene.store;
    let later = store.join(court.bob, &here(), &room("#garden"), NOW + 60_000).await.unwrap();
    assert!(later.is_ok(), "a ban ends by itself");

    court.ada("bob", What::Ban { until: FOREVER }).await.unwrap();
    let refused = court.bob_says("#garden", "b", i64::MAX).await.unwrap_err();
    assert_eq!(refused.to_string(), "you are banned for good");
    let bans = store.bans().await.unwrap();
    assert_eq!(bans.len(), 1, "the second took the place of the first");
    assert_eq!(
        (&bans[0].whom, &bans[0].room, &bans[0].by),
        (&person("bob"), &Some(room("#garden")), &Some(user("ada")))
    );
    court.ada("bob", What::Unban).await.unwrap();
    court.scene.join(court.bob, "#garden").await;
}

#[tokio::test]
async fn who_is_muted_reads_and_is_silent() {
    let court = Court::new().await;
    let until = Some(NOW + 1000);
    court.ada("bob", What::Mute { until }).await.unwrap();
    assert_eq!(court.bob_says("#garden", "a", NOW + 999).await, Err(Refusal::Muted { until: Until(until) }));
    assert_eq!(court.bob_says("#garden", "a", NOW + 1000).await, Ok(1));
    court.ada("bob", What::Mute { until: FOREVER }).await.unwrap();
    let topic = court.scene.store.set_topic(Authority::Account(court.bob), None, &room("#garden"), "mine".into()).await;
    assert_eq!(topic.unwrap(), Err(Refusal::Muted { until: Until(None) }));
    court.scene.say(court.ada, "#garden", "hush").await.unwrap();
    assert_eq!(court.scene.entries(court.bob, "#garden").await.len(), 2);
    court.ada("bob", What::Unmute).await.unwrap();
    assert_eq!(court.bob_says("#garden", "b", NOW).await, Ok(3));
}

#[tokio::test]
async fn an_operator_makes_others_and_is_made_by_the_server_too() {
    let court = Court::new().await;
    court.ada("bob", What::Op).await.unwrap();
    let by_bob = court.decide(Authority::Account(court.bob), Some("#garden"), person("ada"), What::Deop).await;
    by_bob.unwrap();
    assert_eq!(court.ada("bob", What::Kick).await, Err(Refusal::NotAnOperator));
    court.server(Some("#garden"), person("ada"), What::Op).await.unwrap();
    court.ada("bob", What::Kick).await.unwrap();
    court.scene.store.delete_account(&user("ada"), NOW).await.unwrap();
    assert_eq!(court.ada("bob", What::Kick).await, Err(Refusal::AccountGone));
}

#[tokio::test]
async fn an_address_is_kept_out_whoever_comes_from_it() {
    let court = Court::new().await;
    let address = || Whom::Address(here());
    let by_ada = Authority::Account(court.ada);
    let ban = What::Ban { until: FOREVER };
    assert_eq!(court.decide(by_ada, Some("#garden"), address(), ban).await.unwrap().accounts, []);
    assert_eq!(court.bob_says("#garden", "a", NOW).await, Err(Refusal::Banned { until: Until(None) }));
    let store = &court.scene.store;
    let elsewhere: Source = "198.51.100.7".parse().unwrap();
    let from_there = Post { source: elsewhere, ..post(court.bob, "#garden", "a") };
    assert_eq!(store.post(from_there).await.unwrap().unwrap().seq, 1);
    assert_eq!(store.is_banned(Some(court.bob), &here(), NOW).await.unwrap(), None, "only in that room");

    let until = Some(NOW + 5);
    court.server(None, address(), What::Ban { until }).await.unwrap();
    assert_eq!(store.is_banned(None, &here(), NOW).await.unwrap(), Some(Until(until)));
    assert_eq!(store.is_banned(None, &here(), NOW + 5).await.unwrap(), None);
    assert_eq!(store.is_banned(Some(court.ada), &elsewhere, NOW).await.unwrap(), None);
    court.server(None, address(), What::Unban).await.unwrap();
    court.server(None, person("bob"), ban).await.unwrap();
    assert_eq!(store.is_banned(Some(court.bob), &elsewhere, NOW).await.unwrap(), Some(Until(None)));
    assert_eq!(court.bob_says("ada", "hello", NOW).await, Err(Refusal::Banned { until: Until(None) }));
    assert!(court.scene.try_join(court.bob, "#lobby").await.is_err());
    let court = Court { scene: court.scene.restart().await, ..court };
    assert_eq!(court.scene.store.bans().await.unwrap().len(), 2, "bans outlive a restart");
}
