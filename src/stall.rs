//! The signal by which a pass reports that it waits for a server that does not answer, so that others need not wait for
//! the pass.

use std::sync::Arc;

tokio::task_local! {
    static LISTENER: Arc<dyn Fn() + Send + Sync>;
}

/// Does some work; `listener` is called whenever it waits for a server that does not answer.
pub async fn listen<F: Future>(listener: impl Fn() + Send + Sync + 'static, work: F) -> F::Output {
    LISTENER.scope(Arc::new(listener), work).await
}

/// Tells whoever listens to the work in hand, if anybody does.
pub fn report() {
    // Outside of such work nobody wants to know.
    let _ = LISTENER.try_with(|listener| listener());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn each_work_is_listened_to_by_itself() {
        let signals = [Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default()];
        let listener = |index: usize| {
            let signals = Arc::clone(&signals[index]);
            move || {
                signals.fetch_add(1, Ordering::SeqCst);
            }
        };
        let waits = || async {
            tokio::task::yield_now().await;
            report();
        };
        let several = tokio::spawn(listen(listener(0), async move { join_all([waits(), waits()]).await }));
        let none = tokio::spawn(listen(listener(1), async {}));
        several.await.unwrap();
        none.await.unwrap();
        report();
        assert_eq!(signals.map(|signals| signals.load(Ordering::SeqCst)), [2, 0]);
    }
}
