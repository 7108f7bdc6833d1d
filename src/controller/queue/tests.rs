use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { at_work: 2, most: 16 };

fn key(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { namespace: namespace.into(), name: name.into() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A queue in which one pass after another can be taken.
fn queue() -> Queue {
    Queue::new(LIMITS)
}

/// Takes one pass after another, each over before the next begins.
fn drain(queue: &mut Queue) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(key) = queue.start(Duration::ZERO) {
        queue.end(&key);
        order.push(key.to_string());
    }
    order
}

fn pushed(objects: &[(&str, &str, Urgency)]) -> Queue {
    let mut queue = queue();
    for (namespace, name, urgency) in objects {
        queue.push(&key(namespace, name), *urgency);
    }
    queue
}

#[test]
fn in_one_namespace_the_order_is_that_of_arrival() {
    let mut queue = pushed(&[("a", "3", Urgency::Retry), ("a", "1", Urgency::Retry), ("a", "2", Urgency::Retry)]);
    assert_eq!(drain(&mut queue), ["a/3", "a/1", "a/2"]);
}

#[test]
fn namespaces_take_turns() {
    let mut queue = queue();
    for name in ["1", "2", "3"] {
        queue.push(&key("flood", name), Urgency::Edit);
    }
    queue.push(&key("b", "1"), Urgency::Edit);
    queue.push(&key("c", "1"), Urgency::Edit);
    assert_eq!(drain(&mut queue), ["flood/1", "b/1", "c/1", "flood/2", "flood/3"]);
}

#[test]
fn what_is_more_urgent_comes_first() {
    let mut queue = pushed(&[
        ("a", "resync", Urgency::Resync),
        ("a", "retry", Urgency::Retry),
        ("a", "edit", Urgency::Edit),
        ("a", "transition", Urgency::Transition),
    ]);
    let first_three: Vec<String> = drain(&mut queue).into_iter().take(3).collect();
    assert_eq!(first_three, ["a/edit", "a/transition", "a/retry"]);
}

#[test]
fn every_fourth_pass_goes_to_whoever_has_waited_longest() {
    let mut queue = queue();
    queue.push(&key("quiet", "old"), Urgency::Resync);
    for number in 0..100 {
        queue.push(&key("flood", &number.to_string()), Urgency::Edit);
    }
    assert_eq!(drain(&mut queue)[3], "quiet/old");
}

#[test]
fn an_object_stands_in_the_queue_once_with_its_most_urgent_reason() {
    let mut queue = pushed(&[
        ("a", "x", Urgency::Resync),
        ("a", "y", Urgency::Retry),
        ("a", "x", Urgency::Edit),
        ("a", "x", Urgency::Retry),
    ]);
    assert_eq!(queue.waiting(Urgency::Edit), 1);
    assert_eq!(drain(&mut queue), ["a/x", "a/y"]);
}

#[test]
fn no_two_passes_are_under_way_over_one_object() {
    let mut queue = pushed(&[("a", "x", Urgency::Retry)]);
    let taken = queue.start(Duration::ZERO).unwrap();
    assert!(queue.is_running(&taken));
    queue.push(&taken, Urgency::Edit);
    queue.push_at(&taken, Duration::ZERO, Urgency::Edit);
    assert_eq!(queue.start(Duration::ZERO), None);
    queue.end(&taken);
    assert_eq!(queue.start(Duration::ZERO), None, "its end is the time to ask");
    queue.push(&taken, Urgency::Edit);
    assert_eq!(queue.start(Duration::ZERO), Some(taken));
}

#[test]
fn alarms_ring_in_their_order_and_an_edit_comes_before() {
    let mut queue = queue();
    queue.push_at(&key("a", "late"), seconds(20), Urgency::Resync);
    queue.push_at(&key("a", "early"), seconds(10), Urgency::Retry);
    queue.push_at(&key("a", "early"), seconds(15), Urgency::Retry);
    assert_eq!(queue.wake_at(), Some(seconds(10)));
    assert!(!queue.is_due_by(&key("a", "early"), seconds(9)) && queue.is_due_by(&key("a", "early"), seconds(10)));
    assert_eq!(queue.start(seconds(9)), None);
    assert_eq!(queue.start(seconds(10)), Some(key("a", "early")));
    queue.push(&key("a", "late"), Urgency::Edit);
    assert_eq!(queue.start(seconds(11)), Some(key("a", "late")), "an edit does not wait for the alarm");
    assert_eq!(queue.wake_at(), None, "and the alarm is off");
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut queue = pushed(&[("a", "waits", Urgency::Edit)]);
    queue.push_at(&key("a", "sleeps"), seconds(1), Urgency::Edit);
    queue.forget(&key("a", "waits"));
    queue.forget(&key("a", "sleeps"));
    assert_eq!(queue.start(seconds(5)), None);
}

#[test]
fn a_pass_makes_room_when_it_ends_or_waits_for_what_does_not_answer() {
    let mut queue = queue();
    for name in ["1", "2", "3", "4"] {
        queue.push(&key("a", name), Urgency::Edit);
    }
    let first = queue.start(seconds(0)).unwrap();
    let second = queue.start(seconds(0)).unwrap();
    assert_eq!(queue.start(seconds(0)), None, "two are at work");
    queue.end(&first);
    assert!(queue.start(seconds(0)).is_some());
    assert_eq!(queue.start(seconds(0)), None);
    queue.stall(&second);
    queue.stall(&second);
    assert!(queue.start(seconds(0)).is_some());
    assert_eq!(queue.running(), 3);
    queue.push(&first, Urgency::Edit);
    queue.end(&second);
    assert_eq!(queue.start(seconds(0)), None, "it had made room before");
}

/// Fills the queue with passes that stall and never end.
fn hang(queue: &mut Queue, namespace: &str, objects: usize, urgency: Urgency) {
    for number in 0..objects {
        queue.push(&key(namespace, &format!("hangs-{number}")), urgency);
    }
    while let Some(key) = queue.start(Duration::ZERO) {
        queue.stall(&key);
    }
}

#[test]
fn a_namespace_that_hangs_leaves_as_much_room_as_it_takes() {
    let mut queue = queue();
    hang(&mut queue, "flood", 100, Urgency::Edit);
    assert_eq!(queue.running(), 8, "half of sixteen");
    for (namespace, running) in [("b", 12), ("c", 14), ("d", 15)] {
        hang(&mut queue, namespace, 100, Urgency::Edit);
        assert_eq!(queue.running(), running, "half of what was left");
    }
}

#[test]
fn retries_that_hang_leave_room_for_edits() {
    let mut queue = queue();
    for number in 0..40 {
        hang(&mut queue, &format!("flood-{number}"), 20, Urgency::Retry);
    }
    assert_eq!(queue.running(), 12, "three quarters of sixteen");
    queue.push(&key("flood-1", "edited"), Urgency::Edit);
    let started = queue.start(Duration::ZERO);
    assert_eq!(started, Some(key("flood-1", "edited")), "also beside those that hang");
}

/// Something that happens to a queue.
#[derive(Clone, Debug)]
enum Event {
    Push(u8, u8, Urgency),
    PushAt(u8, u8, u64, Urgency),
    Start,
    End(usize),
    Stall(usize),
    Forget(u8, u8),
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let urgency = prop::sample::select(Urgency::ALL.to_vec());
    let event = prop_oneof![
        4 => (0_u8..4, 0_u8..4, urgency.clone()).prop_map(|(namespace, name, urgency)| Event::Push(namespace, name, urgency)),
        2 => (0_u8..4, 0_u8..4, 0_u64..5, urgency).prop_map(|(namespace, name, at, urgency)| Event::PushAt(namespace, name, at, urgency)),
        6 => Just(Event::Start),
        4 => (0_usize..8).prop_map(Event::End),
        2 => (0_usize..8).prop_map(Event::Stall),
        1 => (0_u8..4, 0_u8..4).prop_map(|(namespace, name)| Event::Forget(namespace, name)),
        2 => (0_u64..3).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 1..200)
}

fn named(namespace: u8, name: u8) -> ObjectKey {
    key(&format!("n{namespace}"), &format!("o{name}"))
}

proptest! {
    /// Whatever happens: never two passes over one object, never more than there is room for, and whatever was asked
    /// for and not forgotten gets its pass, and once, when passes end.
    #[test]
    fn everybody_gets_one_pass_at_a_time(events in events()) {
        let mut queue = queue();
        let mut now = seconds(100);
        let mut running: Vec<ObjectKey> = Vec::new();
        let mut stalled: HashSet<ObjectKey> = HashSet::new();
        let mut owed: HashSet<ObjectKey> = HashSet::new();
        for event in events {
            match event {
                Event::Push(namespace, name, urgency) => {
                    let key = named(namespace, name);
                    queue.push(&key, urgency);
                    if !running.contains(&key) {
                        owed.insert(key);
                    }
                }
                Event::PushAt(namespace, name, at, urgency) => {
                    let key = named(namespace, name);
                    queue.push_at(&key, now + seconds(at), urgency);
                    if !running.contains(&key) {
                        owed.insert(key);
                    }
                }
                Event::Start => {
                    if let Some(key) = queue.start(now) {
                        prop_assert!(!running.contains(&key), "two passes over {key}");
                        prop_assert!(owed.remove(&key), "nobody asked for {key}");
                        running.push(key);
                        prop_assert!(running.len() <= LIMITS.most);
                        prop_assert!(running.len() - stalled.len() <= LIMITS.at_work);
                    }
                }
                Event::End(which) if !running.is_empty() => {
                    let key = running.remove(which % running.len());
                    queue.end(&key);
                    stalled.remove(&key);
                }
                Event::Stall(which) if !running.is_empty() => {
                    let key = running[which % running.len()].clone();
                    queue.stall(&key);
                    stalled.insert(key);
                }
                Event::End(_) | Event::Stall(_) => {}
                Event::Forget(namespace, name) => {
                    queue.forget(&named(namespace, name));
                    owed.remove(&named(namespace, name));
                }
                Event::Wait(time) => now += seconds(time),
            }
        }
        now += seconds(10);
        for key in running {
            queue.end(&key);
        }
        while let Some(key) = queue.start(now) {
            prop_assert!(owed.remove(&key), "nobody asked for {key}");
            queue.end(&key);
        }
        prop_assert!(owed.is_empty(), "never looked at: {owed:?}");
        prop_assert_eq!(queue.wake_at(), None);
    }

    /// Whatever comes in, and however urgent, everything that waits is taken after at most four times as many passes as
    /// waited when it came.
    #[test]
    fn nobody_waits_for_ever(
        before in prop::collection::vec((0_u8..6, 0_u8..30, prop::sample::select(Urgency::ALL.to_vec())), 0..60),
        flood in prop::collection::vec((0_u8..6, prop::sample::select(Urgency::ALL.to_vec())), 400),
        urgency in prop::sample::select(Urgency::ALL.to_vec()),
    ) {
        let mut queue = queue();
        for (namespace, name, urgency) in before {
            queue.push(&named(namespace, name), urgency);
        }
        let patient = key("n0", "patient");
        queue.push(&patient, urgency);
        let ahead: usize = Urgency::ALL.into_iter().map(|urgency| queue.waiting(urgency)).sum();
        let mut starts = 0;
        for (number, (namespace, urgency)) in flood.into_iter().enumerate() {
            queue.push(&key(&format!("n{namespace}"), &format!("flood-{number}")), urgency);
            let taken = queue.start(Duration::ZERO).expect("something waits");
            queue.end(&taken);
            starts += 1;
            if taken == patient {
                break;
            }
        }
        prop_assert!(starts <= 4 * ahead + 4, "{starts} passes, {ahead} waited");
    }
}
