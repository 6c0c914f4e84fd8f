//! Order, turns, credit and removal; and, at random, that every text is taken once.

use super::*;
use monomorph_testing::Random;
use std::collections::BTreeSet;

const PASS: usize = 100;
const BUDGET: Budget = Budget { pass: PASS, large: PASS };

/// Texts with these numbers of tokens.
fn texts(tokens: &[usize]) -> Vec<Text> {
    let text = |(index, &n): (usize, &usize)| Text { index, ids: vec![0; n] };
    tokens.iter().enumerate().map(text).collect()
}

fn queue(requests: &[(&'static str, &[usize])]) -> Queue<&'static str> {
    let mut queue = Queue::new();
    for (name, tokens) in requests {
        queue.push(texts(tokens), *name, true, PASS);
    }
    queue
}

/// The next pass, a word a text.
fn pass(queue: &mut Queue<&'static str>) -> String {
    let words = queue.take(BUDGET).texts.into_iter();
    words.map(|taken| format!("{}{}", taken.job, taken.text.index)).collect::<Vec<_>>().join(" ")
}

#[test]
fn short_requests_go_whole_and_in_order() {
    let mut queue = queue(&[("a", &[30, 30]), ("b", &[30]), ("c", &[20]), ("d", &[5])]);
    assert_eq!(queue.size(), Size { requests: 4, texts: 5, tokens: 115 });
    // d would fit, but does not overtake c.
    assert_eq!(pass(&mut queue), "a0 a1 b0");
    assert_eq!(pass(&mut queue), "c0 d0");
    assert_eq!(pass(&mut queue), "");
    assert_eq!(queue.size(), Size::default());
}

#[test]
fn long_requests_take_turns() {
    let mut queue = queue(&[("a", &[30; 8]), ("b", &[40; 3]), ("c", &[250, 30])]);
    let passes: Vec<String> = (0..9).map(|_| pass(&mut queue)).collect();
    // A turn is 100 tokens and what was left of the last one: a's second begins with 110, and c0 waits for c's third.
    assert_eq!(passes, ["a0 a1 a2", "b0 b1", "a3 a4 a5", "b2 a6 a7", "c0", "c1", "", "", ""]);
    assert!(queue.is_empty());
}

/// Whatever the size of their texts, requests get the same number of tokens.
#[test]
fn long_requests_get_equal_shares() {
    let mut queue = queue(&[("short", &[7; 900]), ("long", &[230; 30]), ("full", &[100; 60])]);
    let mut tokens = BTreeMap::from(["short", "long", "full"].map(|name| (name, 0_usize)));
    for _ in 0..100 {
        for taken in queue.take(BUDGET).texts {
            *tokens.entry(taken.job).or_default() += taken.text.ids.len();
        }
        let (least, most) = (tokens.values().min().unwrap(), tokens.values().max().unwrap());
        // A turn, and a text that waited for its own.
        assert!(most - least <= 330, "{tokens:?}");
    }
    assert!(tokens.values().sum::<usize>() > 9000, "{tokens:?}");
}

/// The next pass that a long text is interrupted for, a word a text.
fn between(queue: &mut Queue<&'static str>) -> String {
    let words = queue.take_between(BUDGET).into_iter();
    words.map(|taken| format!("{}{}", taken.job, taken.text.index)).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_long_text_is_interrupted_for_half_of_the_tokens() {
    let mut queue = queue(&[("long", &[250, 250])]);
    assert_eq!(pass(&mut queue), "long0");
    assert!(!queue.may_interrupt(BUDGET));
    assert_eq!(between(&mut queue), "");
    for name in ["a", "b", "c", "d", "e"] {
        queue.push(texts(&[60]), name, true, PASS);
    }
    // After 300 of theirs it is the long ones' turn, although one came when no short one waited.
    let passes: Vec<String> = (0..6).map(|_| between(&mut queue)).collect();
    assert_eq!(passes, ["a0", "b0", "c0", "d0", "e0", ""]);
    queue.push(texts(&[60]), "f", true, PASS);
    assert!(!queue.may_interrupt(BUDGET));
    assert_eq!(between(&mut queue), "");
    assert_eq!(pass(&mut queue), "long1");
    assert_eq!(between(&mut queue), "f0");
}

/// Many short requests wait for the end of a pass, but not for that of a text longer than any.
#[test]
fn a_pass_is_not_interrupted_for_a_crowd() {
    let budget = Budget { pass: PASS, large: 300 };
    let interrupted = |long: usize, short: usize| {
        let mut queue = queue(&[("long", &[long; 4])]);
        queue.take(budget);
        for _ in 0..short {
            queue.push(texts(&[20]), "s", true, PASS);
        }
        (queue.may_interrupt(budget), !queue.take_between(budget).is_empty())
    };
    // 400 tokens of theirs and as many others are eight passes.
    assert_eq!([20, 21].map(|short| interrupted(250, short)), [(true, true), (false, false)]);
    assert_eq!(interrupted(301, 60), (true, true));
}

/// Where many short requests wait, a pass has an eighth of their tokens, if it may have as many.
#[test]
fn many_short_requests_have_larger_passes() {
    let mut queue = Queue::new();
    for _ in 0..60 {
        queue.push(texts(&[20]), "s", true, PASS);
    }
    let budget = Budget { pass: PASS, large: 140 };
    let mut passes = Vec::new();
    while !queue.is_empty() {
        let Pass { texts, may_rest } = queue.take(budget);
        assert!(!may_rest);
        passes.push(texts.len());
    }
    // 1200 tokens wait, then 1060, 940, 840.
    assert_eq!(passes, [7, 6, 5, 5, 5, 5, 5, 5, 5, 5, 5, 2]);
    // One that cannot rest makes its pass no larger than most.
    for i in 0..60 {
        queue.push(texts(&[20]), "s", i != 5, PASS);
    }
    let passes = [(); 3].map(|()| queue.take(budget).texts.len());
    assert_eq!(passes, [5, 5, 6]);
}

/// Long ones that wait, too, have a turn for each of the short ones', and so make their passes twice as large.
#[test]
fn many_short_requests_beside_long_ones_have_larger_passes() {
    let budget = Budget { pass: PASS, large: 300 };
    let take = |long: &[usize]| {
        let mut queue = Queue::new();
        for _ in 0..60 {
            queue.push(texts(&[20]), "s", true, PASS);
        }
        if !long.is_empty() {
            queue.push(texts(long), "long", true, PASS);
        }
        queue.take(budget).texts.len()
    };
    // Of 1200 tokens and as many, or 400, others.
    assert_eq!([take(&[]), take(&[200; 60]), take(&[200; 2])], [7, 15, 10]);
}

/// A pass of long requests that may be interrupted has the tokens of several turns, and their shares stay equal.
#[test]
fn a_pass_that_may_rest_is_larger() {
    let budget = Budget { pass: PASS, large: 300 };
    let mut queue = queue(&[("a", &[50; 12]), ("b", &[50; 4])]);
    queue.push(texts(&[50; 4]), "whole", false, PASS);
    queue.push(texts(&[50; 3]), "c", true, PASS);
    let mut next = || {
        let mut counts = BTreeMap::new();
        for taken in queue.take(budget).texts {
            *counts.entry(taken.job).or_insert(0) += 1;
        }
        Vec::from_iter(counts)
    };
    assert_eq!(next(), [("a", 2), ("b", 2)], "the next one may not rest");
    assert_eq!(next(), [("whole", 2)]);
    assert_eq!(next(), [("a", 2), ("b", 2), ("c", 2)]);
    assert_eq!(next(), [("whole", 2)]);
    assert_eq!(next(), [("a", 5), ("c", 1)]);
    assert_eq!(next(), [("a", 3)]);
    assert_eq!(next(), []);
}

#[test]
fn a_short_request_goes_first_and_bulk_gets_half() {
    let mut queue = queue(&[("bulk", &[50; 40])]);
    assert_eq!(pass(&mut queue), "bulk0 bulk1");
    for _ in 0..8 {
        queue.push(texts(&[100]), "s", true, PASS);
    }
    // Equal passes alternate.
    let kinds: Vec<String> = (0..6).map(|_| pass(&mut queue)[..1].to_owned()).collect();
    assert_eq!(kinds, ["s", "b", "s", "b", "s", "b"]);
}

#[test]
fn credit_is_in_tokens_and_ends_with_the_company() {
    let mut queue = queue(&[("bulk", &[90; 9])]);
    for _ in 0..30 {
        queue.push(texts(&[60]), "s", true, PASS);
    }
    let kinds: String = (0..10).map(|_| pass(&mut queue).remove(0)).collect();
    // Three passes of 60 tokens for every two of 90.
    assert_eq!(kinds, "sbsbssbsbs");
    let mut alone = self::queue(&[("bulk", &[90; 9])]);
    for _ in 0..5 {
        alone.push(texts(&[1]), "s", true, PASS);
        // Bulk was alone in between, so that no short one has to wait for it.
        assert_eq!(pass(&mut alone), "s0");
        assert_eq!(pass(&mut alone).len(), 5);
    }
}

#[test]
fn a_text_over_the_budget_is_a_pass_of_its_own() {
    let mut queue = queue(&[("a", &[2000]), ("b", &[10, 2000, 10])]);
    let passes: Vec<String> = (0..4).map(|_| pass(&mut queue)).collect();
    assert_eq!(passes, ["b0", "a0", "b1", "b2"]);
}

#[test]
fn removal_takes_out_what_waits() {
    let mut queue = queue(&[("a", &[60]), ("b", &[60; 4]), ("c", &[60]), ("d", &[60; 3])]);
    assert_eq!(queue.remove(0), 1);
    assert_eq!(queue.remove(0), 0);
    assert_eq!(pass(&mut queue), "c0");
    assert_eq!(pass(&mut queue), "b0");
    assert_eq!(queue.remove(1), 3);
    assert_eq!(queue.remove(9), 0);
    assert_eq!(queue.size(), Size { requests: 1, texts: 3, tokens: 180 });
    assert_eq!(pass(&mut queue), "d0");
}

#[test]
fn what_is_ahead_depends_on_the_kind() {
    let queue = queue(&[("a", &[60]), ("b", &[60; 4])]);
    // As many of the long ones' as of the short ones'.
    assert_eq!(queue.ahead_of(Kind::Short), 120);
    assert_eq!(queue.ahead_of(Kind::Long), 300);
    assert_eq!(Kind::of(PASS, PASS), Kind::Short);
    assert_eq!(Kind::of(PASS + 1, PASS), Kind::Long);
}

#[test]
fn ten_thousand_requests_come_and_go() {
    let mut queue = Queue::new();
    let numbers: Vec<u64> =
        (0..10_000).map(|i| queue.push(texts(&[1 + i % 40]), i, true, PASS)).collect();
    for number in numbers.iter().step_by(2) {
        assert_eq!(queue.remove(*number), 1);
    }
    let mut served = Vec::new();
    while !queue.is_empty() {
        served.extend(queue.take(BUDGET).texts.into_iter().map(|taken| taken.job));
    }
    assert!(served.iter().copied().eq((0..10_000).filter(|i| i % 2 == 1)));
}

/// Whatever arrives, is removed and is taken in between, under budgets that change: every text is taken once or removed
/// once, those of a request in order, and no pass is over the budget unless it is a single request or text.
#[test]
fn every_text_is_taken_once() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut queue = Queue::new();
        let mut expected: BTreeSet<(u64, usize)> = BTreeSet::new();
        let mut last: BTreeMap<u64, usize> = BTreeMap::new();
        let mut tokens_of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for step in 0..300 {
            let pass = 20 + random.below(200);
            let budget = Budget { pass, large: pass + random.below(300) };
            match random.below(4) {
                0 | 1 if step < 200 => {
                    let tokens: Vec<usize> =
                        (0..1 + random.below(12)).map(|_| 1 + random.below(60)).collect();
                    // The job says whether it may rest.
                    let job = (tokens.len(), random.below(3) > 0);
                    let number = queue.push(texts(&tokens), job, job.1, pass);
                    expected.extend((0..tokens.len()).map(|index| (number, index)));
                    tokens_of.insert(number, tokens);
                }
                2 if step % 3 == 0 => {
                    let number = random.below(60) as u64;
                    let removed = queue.remove(number);
                    let before = expected.len();
                    expected.retain(|(request, _)| *request != number);
                    assert_eq!(before - expected.len(), removed);
                }
                _ => {
                    let Pass { texts: pass, may_rest: rests } = queue.take(budget);
                    assert_eq!(pass.is_empty(), expected.is_empty());
                    let requests: BTreeSet<u64> = pass.iter().map(|taken| taken.request).collect();
                    let total: usize = pass.iter().map(|taken| taken.text.ids.len()).sum();
                    let may_rest = pass.iter().all(|taken| taken.job.1);
                    assert!(!rests || may_rest && total > budget.pass);
                    assert!(total <= budget.large || requests.len() == 1, "{total}, {budget:?}");
                    for taken in pass {
                        let (request, index) = (taken.request, taken.text.index);
                        assert!(expected.remove(&(request, index)), "taken twice");
                        assert_eq!(taken.text.ids.len(), tokens_of[&request][index]);
                        assert_eq!(taken.job.0, tokens_of[&request].len());
                        assert!(last.insert(request, index).is_none_or(|before| before < index));
                    }
                }
            }
            let texts = expected.len();
            let tokens = expected.iter().map(|(request, index)| tokens_of[request][*index]).sum();
            let requests = expected.iter().map(|(request, _)| request).collect::<BTreeSet<_>>();
            assert_eq!(queue.size(), Size { requests: requests.len(), texts, tokens });
        }
        while !queue.is_empty() {
            for taken in queue.take(BUDGET).texts {
                assert!(expected.remove(&(taken.request, taken.text.index)));
            }
        }
        assert!(expected.is_empty());
    }
}
