//! The threads that hash passwords. They run when nothing else wants the processor, and on half of the cores at most: a
//! storm of logins leaves the rest to those who are logged in.

use std::io;
use std::num::NonZeroUsize;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// The niceness of the threads (`nice(2)`): about a tenth of the weight of the serving threads, so that logins are slow
/// on a busy machine, and not stuck.
const NICENESS: i32 = 10;

/// A pool of threads of low priority. They are started when there is work, and end when they have been idle.
#[derive(Debug)]
pub struct HashingThreads {
    pool: Handle,
    /// Taken when this is dropped.
    owner: Option<Runtime>,
}

impl HashingThreads {
    /// A pool of half as many threads as there are cores.
    ///
    /// # Errors
    /// The system refuses what a runtime needs, such as file handles.
    pub fn new() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // A pool of its own, because an unprivileged thread cannot raise its priority again.
        Builder::new_current_thread()
            .max_blocking_threads((cores / 2).max(1))
            .thread_name("passwords")
            .on_thread_start(lower_priority)
            .build()
            .map(|runtime| Self { pool: runtime.handle().clone(), owner: Some(runtime) })
    }

    /// Runs `work` when it is its turn. The caller bounds how much waits.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.pool.spawn_blocking(work)
    }
}

impl Drop for HashingThreads {
    fn drop(&mut self) {
        // The last owner may stand on an async thread, which must not wait for the threads to end.
        if let Some(runtime) = self.owner.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers the priority of the calling thread.
fn lower_priority() {
    // On Linux, "this process" is the calling thread. Elsewhere all threads of the process would be slower.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "the threads that hash passwords keep their priority");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn hashes_yield_the_processor_to_everything_else() {
        let threads = HashingThreads::new().unwrap();
        let own = rustix::process::getpriority_process(None).unwrap();
        let theirs = threads.run(|| rustix::process::getpriority_process(None).unwrap()).await.unwrap();
        assert_eq!((own, theirs), (own, NICENESS.max(own)));
        // A pool that goes away on an async thread does not panic.
        drop(threads);
    }
}
