//! File work away from the threads that drive everything else.

use crate::error::GitError;

/// Runs `work` on a thread where it may block. It must be bounded by itself.
pub(crate) async fn off_thread<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<GitError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(lost) => Err(GitError::Unexpected {
            what: "(file work)".to_owned(),
            why: lost.to_string(),
        }
        .into()),
    }
}
