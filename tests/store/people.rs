//! Accounts and tickets.

use fernwire::store::{Credential, MAX_TICKETS};

use crate::scene::{NOW, Scene, texts, user};

#[tokio::test]
async fn a_name_is_one_account_in_any_case_and_after_a_restart() {
    let scene = Scene::new();
    let ada = scene.sign_up("Ada").await;
    let taken = scene.store.create_account(user("ADA"), Credential::new("other"), NOW).await.unwrap();
    assert_eq!(taken, None);
    let scene = scene.restart().await;
    let found = scene.store.account(&user("ada")).await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str(), found.credential.expose()), (ada, "Ada", "hash of Ada"));
    assert_eq!(scene.store.account(&user("bob")).await.unwrap(), None);
    assert!(!format!("{found:?}").contains("hash"), "a credential is never printed");
}

#[tokio::test]
async fn a_deleted_account_leaves_its_name_and_its_words_behind() {
    let scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    scene.join(ada, "#lobby").await;
    scene.join(bob, "#lobby").await;
    scene.say(ada, "#lobby", "before").await.unwrap();
    let then = scene.store.account(&user("ada")).await.unwrap().unwrap();
    assert!(scene.store.add_ticket(&then, [7; 32], NOW + 10).await.unwrap());

    assert!(scene.store.delete_account(&user("ADA"), NOW + 1).await.unwrap());
    assert!(!scene.store.delete_account(&user("ada"), NOW + 2).await.unwrap());
    assert_eq!(scene.store.account(&user("ada")).await.unwrap(), None);
    assert_eq!(scene.store.redeem_ticket([7; 32], NOW).await.unwrap(), None);
    assert!(!scene.store.add_ticket(&then, [8; 32], NOW + 10).await.unwrap());
    assert_eq!(scene.store.create_account(user("ada"), Credential::new("thief"), NOW).await.unwrap(), None);
    assert_eq!(scene.store.memberships(ada).await.unwrap(), []);
    assert_eq!(texts(&scene.entries(bob, "#lobby").await), ["before"]);
    scene.say(ada, "#lobby", "after").await.unwrap_err();
    scene.say(bob, "ada", "are you there?").await.unwrap_err();
    let listed = scene.store.accounts().await.unwrap();
    assert_eq!(listed.iter().map(|account| account.deleted).collect::<Vec<_>>(), [Some(NOW + 1), None]);

    assert!(scene.store.set_credential(&user("ada"), Credential::new("new")).await.unwrap());
    assert_eq!(scene.store.account(&user("ada")).await.unwrap().unwrap().id, ada);
    assert!(scene.store.memberships(ada).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() {
    let scene = Scene::new();
    scene.sign_up("ada").await;
    let then = scene.store.account(&user("ada")).await.unwrap().unwrap();
    assert!(scene.store.add_ticket(&then, [1; 32], NOW + 10).await.unwrap());
    assert!(scene.store.set_credential(&user("Ada"), Credential::new("new")).await.unwrap());
    assert!(!scene.store.set_credential(&user("bob"), Credential::new("new")).await.unwrap());
    // A login with the old one that was under way meanwhile begins nothing either.
    assert!(!scene.store.add_ticket(&then, [2; 32], NOW + 10).await.unwrap());
    for hash in [1, 2] {
        assert_eq!(scene.store.redeem_ticket([hash; 32], NOW).await.unwrap(), None);
    }
    assert_eq!(scene.store.account(&user("ada")).await.unwrap().unwrap().credential.expose(), "new");
}

#[tokio::test]
async fn a_ticket_is_good_until_it_expires_and_only_so_many_are_kept() {
    let scene = Scene::new();
    let (ada, bob) = (scene.sign_up("ada").await, scene.sign_up("bob").await);
    let account = async |name| scene.store.account(&user(name)).await.unwrap().unwrap();
    let (of_ada, of_bob) = (account("ada").await, account("bob").await);
    scene.store.add_ticket(&of_bob, [255; 32], NOW + 10).await.unwrap();
    for i in 0..=MAX_TICKETS {
        scene.store.add_ticket(&of_ada, [u8::try_from(i).unwrap(); 32], NOW + 10).await.unwrap();
    }
    let holder = async |hash: u8, now| scene.store.redeem_ticket([hash; 32], now).await.unwrap().map(|a| a.id);
    assert_eq!(holder(0, NOW).await, None, "the oldest went");
    assert_eq!((holder(1, NOW).await, holder(64, NOW + 9).await), (Some(ada), Some(ada)));
    assert_eq!(holder(1, NOW).await, Some(ada), "it can be used again");
    assert_eq!(holder(1, NOW + 10).await, None);
    assert_eq!(holder(255, NOW).await, Some(bob));

    scene.store.note_login(ada, NOW + 10).await.unwrap();
    assert_eq!(holder(255, NOW).await, None, "expired ones are forgotten");
    let logins: Vec<_> = scene.store.accounts().await.unwrap().iter().map(|account| account.last_login).collect();
    assert_eq!(logins, [Some(NOW + 10), None]);
}
