//! People who talk: in rooms, with each other, and about each other.

use crate::scene::Scene;
use crate::terminal::{ALT_ENTER, DOWN, ENTER, ESC, TAB, UP, alt, ctrl, text_of};

#[test]
fn two_people_talk_and_a_mention_rings() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    bob.enters("good morning");
    bob.sees("bob: good morning ✓");
    ada.sees("bob: good morning");
    let start = ada.written();
    ada.enters("the same to you");
    ada.sees("ada: the same to you ✓");
    bob.sees("ada: the same to you");
    assert!(!ada.written_since(start).contains(&7), "nobody named ada, and it rang");
    bob.enters("what do you think, Ada?");
    ada.sees("bob: what do you think, Ada?");
    ada.is_sent(b"\x07", start);
    assert!(ada.cells("Ada").iter().all(|cell| cell.bold() && cell.underline()), "{}", ada.screen());
    assert!(ada.cells("what do you").iter().all(|cell| !cell.bold() && !cell.underline()), "{}", ada.screen());
    ada.types(&alt('m'));
    ada.sees("Who named you");
    ada.types(ESC);
    ada.sees_no_more("Who named you");
}

#[test]
fn rooms_are_joined_counted_and_changed_by_keys() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    ada.enters("/join #rust");
    ada.sees(">2 #rust");
    bob.enters("/join rust");
    bob.sees(">2 #rust");
    ada.types(&alt('1'));
    ada.sees(">1 #lobby");
    for text in ["one", "two", "three"] {
        bob.enters(text);
        // Lines that come at once are a paste.
        bob.sees(&format!("bob: {text}"));
    }
    ada.sees(" 2 #rust            3│");
    ada.types(&alt('2'));
    ada.sees(">2 #rust             │");
    ada.sees("bob: three");
    bob.types(&alt('1'));
    bob.sees(">1 #lobby");
    bob.enters("and here");
    ada.sees(" 1 #lobby           1│");
    ada.types(&alt('a'));
    ada.sees(">1 #lobby            │");
    ada.sees("bob: and here");
    ada.types(&alt('a'));
    ada.sees("everything is read");
}

#[test]
fn a_direct_message_is_between_two() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    let eve = scene.enters("eve");
    ada.enters("/msg bob between us");
    ada.sees(">2 bob");
    ada.sees("ada: between us ✓");
    bob.sees(" 2 ada             @1│");
    bob.types(&alt('a'));
    bob.sees("between you two");
    bob.enters("and only us");
    ada.sees("bob: and only us");
    // What comes after it has come, or would have.
    bob.types(&alt('1'));
    bob.sees(">1 #lobby");
    bob.enters("hello all");
    let all = eve.sees("bob: hello all");
    assert!(!all.contains("us") && !all.contains(" 2 "), "{all}");
}

#[test]
fn a_few_letters_lead_anywhere() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    bob.enters("/join #gardening");
    bob.sees(">2 #gardening");
    ada.types(&ctrl('k'));
    ada.sees("#gardening");
    ada.types("grdn");
    ada.sees("▸ #gardening");
    ada.types(ENTER);
    ada.sees(">2 #gardening");
    ada.types(&ctrl('k'));
    ada.sees("│  bob");
    ada.types("bo");
    ada.sees("▸ bob");
    ada.types(ENTER);
    ada.sees(">3 bob");
    ada.types(&ctrl('k'));
    ada.sees("┌Go to");
    ada.types(ESC);
    ada.sees_no_more("┌Go to");
    assert!(ada.screen().contains(">3 bob"), "{}", ada.screen());
}

#[test]
fn a_paste_of_three_lines_is_one_message() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let bob = scene.enters("bob");
    ada.pastes("first\nsecond\nthird");
    ada.sees("> first\n  second\n  third");
    assert!(!bob.screen().contains("ada:"), "{}", bob.screen());
    ada.types(ENTER);
    bob.sees("third");
    // One message has its name once, and goes on below the name.
    assert_eq!(bob.column_of("second"), bob.column_of("third"));
    let screen = bob.screen();
    assert_eq!(screen.matches("ada: ").count(), 1, "{screen}");
    ada.types(&format!("above{ALT_ENTER}below"));
    ada.sees("> above\n  below");
    ada.types(ENTER);
    let screen = bob.sees("below");
    assert_eq!(screen.matches("ada: ").count(), 2, "{screen}");
    assert!(screen.contains("ada: above"), "{screen}");
}

#[test]
fn tab_completes_and_up_recalls() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    bob.enters("hello");
    ada.sees("bob: hello");
    ada.types("bo");
    ada.sees("> bo");
    ada.types(TAB);
    ada.sees("> bob:");
    ada.types("hi");
    ada.types(ENTER);
    bob.sees("ada: bob: hi");
    ada.types("/jo");
    ada.types(TAB);
    ada.sees("> /join");
    ada.types(&ctrl('u'));
    ada.sees_no_more("/join");
    ada.enters("the second");
    ada.sees("ada: the second ✓");
    ada.types("unsent");
    ada.types(UP);
    ada.sees("> the second");
    ada.types(UP);
    ada.sees("> bob: hi");
    ada.types(DOWN);
    ada.types(DOWN);
    ada.sees("> unsent");
    ada.types(&ctrl('u'));
    ada.enters("/jion #rust");
    ada.sees("did you mean /join?");
    assert!(ada.screen().ends_with("> /jion #rust"), "{}", ada.screen());
}

#[test]
fn what_is_refused_says_so_and_is_sent_again() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let mut bob = scene.enters("bob");
    ada.enters("/join #den");
    ada.sees(">2 #den");
    bob.enters("/join #den");
    bob.sees(">2 #den");
    ada.enters("/mute bob");
    bob.sees("ada muted bob");
    bob.enters("may I?");
    bob.sees("bob: may I? ✗ not sent");
    bob.sees("1 not sent");
    ada.enters("/unmute bob");
    bob.sees("ada unmuted bob");
    assert!(!ada.screen().contains("may I?"), "{}", ada.screen());
    bob.types(&alt('r'));
    bob.sees("bob: may I? ✓");
    bob.sees_no_more("not sent");
    let screen = ada.sees("bob: may I?");
    assert_eq!(screen.matches("may I?").count(), 1, "{screen}");
    ada.enters("/mute bob");
    bob.sees_that("muted again", |screen| text_of(screen).matches("ada muted bob").count() == 2);
    bob.enters("never mind");
    bob.sees("bob: never mind ✗ not sent");
    bob.types(&alt('d'));
    bob.sees_no_more("never mind");
}

#[test]
fn of_much_that_comes_at_once_nothing_is_left_out() {
    let scene = Scene::new();
    let mut ada = scene.enters("ada");
    let numbers: Vec<String> = (100..300).map(|number| number.to_string()).collect();
    ada.types(&numbers.join(" "));
    ada.sees("299");
    ada.types(ENTER);
    let screen = ada.sees("299 ✓");
    let shown: Vec<&str> =
        screen.split_whitespace().filter(|word| word.len() == 3 && word.parse::<u32>().is_ok()).collect();
    assert_eq!(shown, numbers);
}
