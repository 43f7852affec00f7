//! The same for each of many files, on all cores. The answers keep the order of the questions, so nothing
//! that is shown depends on which was ready first.

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::sql::STACK;

/// Fewer are done before threads are.
const FEW: usize = 8;

/// More threads than this wait for memory, not for each other.
const MOST: usize = 16;

/// `work` on each of `items`, in their order.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() > FEW {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads(cores.min(MOST)).stack_size(STACK).build();
        // Where there is no room for threads, this one does it.
        if let Ok(pool) = pool {
            return pool.install(|| items.par_iter().map(&work).collect());
        }
    }
    items.iter().map(work).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_keep_the_order_of_the_questions() {
        for count in [0, 1, FEW, FEW + 1, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let twice: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(each(&items, |item| item * 2), twice);
        }
    }
}
