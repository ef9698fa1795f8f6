//! Uploads whose clients are connected to this node: their data, and why they failed, for the client.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use cuttle_model::ids::OperationId;
use futures::stream::BoxStream;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ImportError;

/// Conversions of a node that run at once: each holds some tens of megabytes and a thread.
const CONVERSIONS: usize = 2;

/// An upload's bytes as they come.
pub(super) type UploadData = BoxStream<'static, Result<Bytes, String>>;

pub(crate) struct Uploads {
    table: Mutex<HashMap<OperationId, Upload>>,
    conversions: Semaphore,
}

#[derive(Default)]
struct Upload {
    data: Option<UploadData>,
    failure: Option<ImportError>,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { table: Mutex::default(), conversions: Semaphore::new(CONVERSIONS) }
    }
}

impl Uploads {
    pub(super) fn insert(&self, operation: OperationId, data: UploadData) {
        self.lock().insert(operation, Upload { data: Some(data), failure: None });
    }

    /// The data, once: `None` also where the client is connected to another node.
    pub(super) fn take(&self, operation: OperationId) -> Option<UploadData> {
        self.lock().get_mut(&operation)?.data.take()
    }

    /// Keeps a reason for the client, if it is ours.
    pub(super) fn fail(&self, operation: OperationId, failure: ImportError) {
        if let Some(upload) = self.lock().get_mut(&operation) {
            upload.failure = Some(failure);
        }
    }

    /// Forgets the upload; answers why it failed.
    pub(super) fn remove(&self, operation: OperationId) -> Option<ImportError> {
        self.lock().remove(&operation)?.failure
    }

    /// Waits for the right to convert.
    pub(super) async fn conversion(&self) -> Option<SemaphorePermit<'_>> {
        self.conversions.acquire().await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OperationId, Upload>> {
        self.table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
