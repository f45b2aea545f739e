use serde_json::json;

use super::*;
use crate::{
    hlc::Hlc,
    ids::{NodeId, RunId},
    time::Timestamp,
};

fn at(wall: u64, origin: u32) -> Hlc {
    Hlc {
        wall: Timestamp::from_millis(wall),
        counter: 0,
        origin,
    }
}

fn seen(stamps: &[Hlc]) -> Seen {
    stamps.iter().copied().collect()
}

#[test]
fn the_later_write_stays_whatever_comes_first() {
    let (early, late) = (Lww::new("a", at(1, 1)), Lww::new("b", at(2, 2)));
    for (mut one, other) in [(early, late), (late, early)] {
        one.merge(&other);
        assert_eq!(one, late);
    }
}

#[test]
fn equal_stamps_are_settled_by_value() {
    let mut one = Lww::new(Json(json!({"n": 1})), at(1, 1));
    let mut other = Lww::new(Json(json!({"n": 2})), at(1, 1));
    let before = one.clone();
    one.merge(&other);
    other.merge(&before);
    assert_eq!(one, other);
    assert_eq!(one.value().0, json!({"n": 2}));
}

#[test]
fn a_deleted_key_is_not_brought_back_by_an_older_write() {
    let mut map = LwwMap::new();
    let older = map.set("k", 1, at(1, 1)).unwrap();
    map.remove(&"k", at(2, 1)).unwrap();
    assert!(!map.apply(&older, at(1, 1)));
    assert!(map.is_empty());
    assert_eq!(map.remove(&"k", at(3, 1)), None);
    // Forgotten only when every origin is past it, and even then not undone.
    map.collect(&seen(&[at(5, 1), at(1, 2)]));
    assert_eq!(map.tombstones(), 1);
    map.collect(&seen(&[at(5, 1), at(4, 2)]));
    assert_eq!(map.tombstones(), 0);
    assert!(!map.apply(&older, at(1, 1)));
    assert!(map.apply(&older, at(6, 2)));
}

#[test]
fn an_old_copy_of_a_map_brings_nothing_back() {
    let mut map = LwwMap::new();
    map.set("k", 1, at(1, 1)).unwrap();
    let old = map.clone();
    map.remove(&"k", at(2, 1)).unwrap();
    map.collect(&seen(&[at(2, 1), at(3, 2)]));
    let mut back = old.clone();
    back.merge(&map);
    map.merge(&old);
    assert!(map.is_empty() && back == map);
}

#[test]
fn an_addition_wins_over_a_removal_that_has_not_seen_it() {
    let mut one = OrSet::new();
    one.add("x", at(1, 1)).unwrap();
    let mut other = one.clone();
    let removal = one.remove(&"x").unwrap();
    let addition = other.add("x", at(2, 2)).unwrap();
    one.apply(&addition, at(2, 2));
    other.apply(&removal, at(2, 1));
    assert!(one.contains(&"x"));
    assert_eq!(one, other);
}

#[test]
fn a_removal_that_comes_before_its_addition_removes_it() {
    let mut source = OrSet::new();
    let addition = source.add("x", at(1, 1)).unwrap();
    let removal = source.remove(&"x").unwrap();
    let mut set = OrSet::new();
    set.apply(&removal, at(2, 1));
    assert!(!set.apply(&addition, at(1, 1)));
    assert_eq!(set, source);
}

#[test]
fn an_element_that_is_added_over_and_over_does_not_grow() {
    let mut set = OrSet::new();
    for wall in 1..1_000 {
        set.add("x", at(wall, 1)).unwrap();
        set.collect(&seen(&[at(wall, 1)]));
    }
    assert_eq!((set.dots(&"x").count(), set.tombstones()), (1, 0));
}

#[test]
fn an_old_copy_of_a_set_brings_nothing_back() {
    let mut set = OrSet::new();
    let addition = set.add("x", at(1, 1)).unwrap();
    let old = set.clone();
    set.remove(&"x").unwrap();
    set.collect(&seen(&[at(2, 1)]));
    assert_eq!(set.tombstones(), 0);
    set.merge(&old);
    assert!(!set.apply(&addition, at(1, 1)) && set.is_empty());
}

#[test]
fn one_event_may_add_two_elements_and_one_of_them_be_removed() {
    let mut set = OrSet::new();
    set.add("x", at(1, 1)).unwrap();
    set.add("y", at(1, 1)).unwrap();
    set.remove(&"x").unwrap();
    assert_eq!(set.iter().collect::<Vec<_>>(), [&"y"]);
}

#[test]
fn what_is_full_refuses_its_own_and_takes_what_others_made() {
    let mut set = OrSet::new();
    let limit = crate::bounds::MERGED_ENTRIES;
    for n in 0..limit {
        set.add(n, at(1, 1)).unwrap();
    }
    assert_eq!(
        set.add(limit, at(1, 1)).unwrap_err(),
        Full {
            entries: limit,
            limit
        }
    );
    let foreign = OrSetOp::Add {
        value: limit,
        over: Vec::new(),
    };
    assert!(set.apply(&foreign, at(2, 2)));

    let mut map = LwwMap::new();
    for n in 0..limit {
        map.set(n, n, at(1, 1)).unwrap();
    }
    assert!(map.set(limit, 0, at(1, 1)).is_err());
    assert!(map.set(0, 7, at(2, 1)).is_ok());
}

#[test]
fn json_is_stable_and_fields_of_a_newer_version_survive() {
    let text = concat!(
        r#"{"elements":[["x",["1970-01-01T00:00:00.001Z-0000-00000001"]]],"#,
        r#""removed":[["y",["1970-01-01T00:00:00.002Z-0000-00000001"]]],"newer":{"a":1}}"#
    );
    let set: OrSet<String> = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&set).unwrap(), text);
    let mut plain = OrSet::new();
    plain.merge(&set);
    assert_eq!(serde_json::to_string(&plain).unwrap(), text);

    let text = concat!(
        r#"{"entries":[[1,{"value":"a","at":"1970-01-01T00:00:00.001Z-0000-00000001"}],"#,
        r#"[2,{"value":null,"at":"1970-01-01T00:00:00.002Z-0000-00000001"}]],"newer":[]}"#
    );
    let map: LwwMap<u8, String> = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&map).unwrap(), text);
}

#[test]
fn an_operation_s_json_is_small() {
    let mut set = OrSet::new();
    let addition = set.add("x", at(1, 1)).unwrap();
    let removal = set.remove(&"x").unwrap();
    assert_eq!(
        serde_json::to_value(addition).unwrap(),
        json!({"op": "add", "value": "x"})
    );
    assert_eq!(
        serde_json::to_value(removal).unwrap(),
        json!({"op": "remove", "value": "x", "dots": ["1970-01-01T00:00:00.001Z-0000-00000001"]})
    );
}

fn bid(n: u8, epoch: u64) -> Bid {
    Bid {
        agent: NodeId::from_parts(1, [n; 10]),
        run: RunId::from_parts(2, [n; 10]),
        epoch,
    }
}

#[test]
fn p1_every_replica_names_the_same_winner_of_concurrent_claims() {
    let (mut one, mut other) = (Claims::new(), Claims::new());
    one.bid(bid(1, 1), at(5, 1)).unwrap();
    other.bid(bid(2, 1), at(5, 2)).unwrap();
    other.bid(bid(3, 1), at(4, 2)).unwrap();
    let alone = one.clone();
    one.merge(&other);
    other.merge(&alone);
    assert_eq!(one, other);
    assert_eq!(one.winner().unwrap().bid, bid(3, 1));
    let losers: Vec<Bid> = one.losers().iter().map(|claim| claim.bid).collect();
    assert_eq!(losers, [bid(1, 1), bid(2, 1)]);
}

#[test]
fn p1_a_higher_epoch_wins_and_claiming_again_keeps_the_place() {
    let mut claims = Claims::new();
    assert_eq!(claims.next_epoch(), 1);
    claims.bid(bid(1, 1), at(1, 1)).unwrap();
    claims.bid(bid(2, 2), at(9, 2)).unwrap();
    assert_eq!(claims.winner().unwrap().bid, bid(2, 2));
    assert_eq!(claims.next_epoch(), 3);
    assert_eq!(claims.bid(bid(2, 2), at(10, 2)).unwrap(), None);
    assert_eq!(claims.winner().unwrap().at, at(9, 2));
    claims.withdraw(&bid(2, 2)).unwrap();
    assert_eq!(claims.winner().unwrap().bid, bid(1, 1));
    assert!(claims.losers().is_empty());
}
