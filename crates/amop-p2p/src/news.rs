//! Which lanes of a link may have something to read.
//!
//! A look at a lane without news takes the connection's lock and leaves a waker behind, and most of a link's lanes
//! have none when it runs. So each lane has a waker of its own, which notes the lane and wakes the link.

use std::array;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use amop_wire::Lane;
use tokio::task::yield_now;

/// The lanes of one link that are to be looked at.
#[derive(Debug)]
pub(crate) struct News {
    shared: Arc<Shared>,
    wakers: [Waker; Lane::COUNT],
}

#[derive(Debug)]
struct Shared {
    /// A bit for each lane.
    lanes: AtomicU8,
    /// What runs the link.
    link: Mutex<Option<Waker>>,
}

/// What quinn wakes when a lane has something.
#[derive(Debug)]
struct Bell {
    lane: usize,
    shared: Arc<Shared>,
}

impl Default for News {
    /// Of every lane: none was looked at.
    fn default() -> Self {
        let shared = Arc::new(Shared { lanes: AtomicU8::new(ALL), link: Mutex::default() });
        let bell = |lane| Arc::new(Bell { lane, shared: Arc::clone(&shared) });
        let wakers = array::from_fn(|lane| Waker::from(bell(lane)));
        Self { shared, wakers }
    }
}

impl News {
    /// Takes the news that there are. Those that come later wake the link.
    pub(crate) fn take(&self, link: &Waker) -> [bool; Lane::COUNT] {
        let mut waker = self.shared.link.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waker {
            Some(waker) => waker.clone_from(link),
            none => *none = Some(link.clone()),
        }
        drop(waker);
        let lanes = self.shared.lanes.swap(0, Ordering::AcqRel);
        array::from_fn(|lane| lanes & bit(lane) != 0)
    }

    /// Every lane is to be looked at.
    pub(crate) fn of_all(&self) {
        self.shared.lanes.store(ALL, Ordering::Release);
    }

    /// There is more on this lane than was read.
    pub(crate) fn of(&self, lane: usize) {
        self.wakers[lane].wake_by_ref();
    }

    /// There is more on this lane, which is looked at when everybody had a turn.
    pub(crate) fn of_later(&self, lane: usize) {
        // It is pending now; the runtime calls the waker when it has looked for what arrived.
        let _ = pin!(yield_now()).poll(&mut self.context(lane));
    }

    /// Those of the news that are about this lane and less urgent ones were not looked at.
    pub(crate) fn keep(&self, from: usize, news: [bool; Lane::COUNT]) {
        let lanes = (from..news.len()).filter(|lane| news[*lane]).map(bit).sum();
        self.shared.lanes.fetch_or(lanes, Ordering::AcqRel);
    }

    /// With what a lane is looked at.
    pub(crate) fn context(&self, lane: usize) -> Context<'_> {
        Context::from_waker(&self.wakers[lane])
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.lanes.fetch_or(bit(self.lane), Ordering::AcqRel);
        let link = self.shared.link.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(link) = link {
            link.wake();
        }
    }
}

fn bit(lane: usize) -> u8 {
    1 << lane
}

const ALL: u8 = u8::MAX >> (8 - Lane::COUNT);

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Link(AtomicUsize);

    impl Wake for Link {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lanes(news: &News, link: &Arc<Link>) -> Vec<usize> {
        let news = news.take(&Waker::from(Arc::clone(link)));
        (0..Lane::COUNT).filter(|lane| news[*lane]).collect()
    }

    #[test]
    fn every_lane_is_looked_at_first_and_then_those_that_wake() {
        let (news, link) = (News::default(), Arc::<Link>::default());
        assert_eq!(lanes(&news, &link), [0, 1, 2, 3, 4]);
        assert_eq!(lanes(&news, &link), [0; 0]);
        for lane in [3, 1, 3] {
            news.context(lane).waker().wake_by_ref();
        }
        assert_eq!(link.0.load(Ordering::Relaxed), 3);
        assert_eq!(lanes(&news, &link), [1, 3]);
        news.of_all();
        assert_eq!(lanes(&news, &link), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn news_that_were_kept_are_there_the_next_time() {
        let (news, link) = (News::default(), Arc::<Link>::default());
        _ = lanes(&news, &link);
        news.keep(2, [true, true, false, true, true]);
        assert_eq!(lanes(&news, &link), [3, 4]);
    }

    #[test]
    fn news_wake_whoever_runs_the_link_now() {
        let (news, links) = (News::default(), [(); 2].map(|()| Arc::<Link>::default()));
        links.iter().for_each(|link| _ = lanes(&news, link));
        news.of(2);
        assert_eq!(links.each_ref().map(|link| link.0.load(Ordering::Relaxed)), [0, 1]);
        assert_eq!(lanes(&news, &links[0]), [2]);
    }
}
