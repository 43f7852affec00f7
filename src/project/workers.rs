//! The same for each of many files, on all cores. The answers keep the order of the questions, so nothing
//! that is shown depends on which was ready first.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::sql::STACK;

/// Fewer are done before threads are.
const MIN_PARALLEL: usize = 8;

/// More threads than this wait for memory, not for each other.
const MAX_THREADS: usize = 16;

/// `work` on each of `items`, in their order. An item is made when a thread is free for it.
pub(super) fn parallel_map<T: Send, R: Send>(
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let mut items = items.fuse();
    let first: Vec<T> = items.by_ref().take(MIN_PARALLEL + 1).collect();
    if first.len() > MIN_PARALLEL {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads(cores.min(MAX_THREADS)).stack_size(STACK).build();
        // Where there is no room for threads, this one does it.
        if let Ok(pool) = pool {
            let numbered = first.into_iter().chain(items).enumerate();
            let mut done: Vec<(usize, R)> =
                pool.install(|| numbered.par_bridge().map(|(at, item)| (at, work(item))).collect());
            done.sort_unstable_by_key(|(at, _)| *at);
            return done.into_iter().map(|(_, done)| done).collect();
        }
        return first.into_iter().chain(items).map(work).collect();
    }
    first.into_iter().map(work).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_keep_the_order_of_the_questions() {
        for count in [0, 1, MIN_PARALLEL, MIN_PARALLEL + 1, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let twice: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(parallel_map(items.iter(), |item| item * 2), twice);
        }
    }
}
