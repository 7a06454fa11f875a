//! The executor with a simulated clock.

use std::{cell::RefCell, future::pending, rc::Rc};

use entgate::{id::UnixMillis, store::memory::VirtualTime};

#[test]
fn tasks_run_in_order_and_the_clock_advances_to_the_next_timer() {
    let time = VirtualTime::starting_at(UnixMillis(100));
    let log = Rc::new(RefCell::new(Vec::new()));
    for (name, millis) in [("a", 20), ("b", 0), ("c", 10)] {
        let (sleep, log, clock) = (time.sleep(millis), Rc::clone(&log), time.clone());
        time.spawn(async move {
            log.borrow_mut().push((name, clock.now().0));
            sleep.await;
            log.borrow_mut().push((name, clock.now().0));
        });
    }
    assert_eq!(time.run_until(time.sleep(30)), Some(()));
    let expected = [("a", 100), ("b", 100), ("c", 100), ("b", 100), ("c", 110), ("a", 120)];
    assert_eq!(*log.borrow(), expected);
    assert_eq!(time.now(), UnixMillis(130));
}

#[test]
fn a_future_that_waits_forever_is_found() {
    assert_eq!(VirtualTime::default().run_until(pending::<()>()), None);
}
