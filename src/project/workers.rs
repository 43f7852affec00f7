//! A parallel map over files. Results keep the order of the items.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::sql::STACK;

/// For fewer items, starting threads takes longer than the work.
const MIN_PARALLEL: usize = 8;

/// With more threads, memory allocation limits the speed.
const MAX_THREADS: usize = 16;

/// Applies `work` to each of `items` and returns the results in order. Items are produced when a thread is free.
pub(super) fn parallel_map<T: Send, R: Send>(
    items: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let mut items = items.fuse();
    let first: Vec<T> = items.by_ref().take(MIN_PARALLEL + 1).collect();
    if first.len() > MIN_PARALLEL {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads(cores.min(MAX_THREADS)).stack_size(STACK).build();
        // If no threads can be started, this one does the work.
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
    fn results_keep_the_order_of_items() {
        for count in [0, 1, MIN_PARALLEL, MIN_PARALLEL + 1, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let twice: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(parallel_map(items.iter(), |item| item * 2), twice);
        }
    }
}
