//! Small objects beside images, in a namespace of their own: written and read to see how long that takes.
//!
//! What took long here is the OSDs and the way to them; the wait for a thread of ours is not counted.

use crate::error::{Effect, Error};
use crate::pool::Pool;
use crate::sys::errno::Errno;
use std::time::{Duration, Instant};

impl Pool {
    /// Replaces an object; answers how long that took. Of those that nobody waits for any more, any may be the last.
    pub async fn touch(&self, namespace: &str, object: &str, data: Vec<u8>) -> Result<Duration, Error> {
        let (namespace, object) = (namespace.to_owned(), object.to_owned());
        // An effect without an order: nobody reads it, and one that hangs must not hold up the next.
        self.call(self.attempt_all("write a probe", Effect::Read), move |job| {
            let context = job.context.in_namespace(&namespace).map_err(|errno| job.failed(errno))?;
            let begun = Instant::now();
            context.write_object(&object, &data).map_err(|errno| job.failed(errno))?;
            Ok(begun.elapsed())
        })
        .await
    }

    /// Reads the beginning of an object, which need not be there; answers how long that took.
    pub async fn feel(&self, namespace: &str, object: &str, length: usize) -> Result<Duration, Error> {
        let (namespace, object) = (namespace.to_owned(), object.to_owned());
        self.call(self.attempt_all("read a probe", Effect::Read), move |job| {
            let context = job.context.in_namespace(&namespace).map_err(|errno| job.failed(errno))?;
            let begun = Instant::now();
            let found = context.read_object(&object, length);
            let took = begun.elapsed();
            job.optional(found)?;
            Ok(took)
        })
        .await
    }

    /// Removes objects; those that are not there are no error.
    pub async fn remove_objects(&self, namespace: &str, objects: Vec<String>) -> Result<(), Error> {
        let namespace = namespace.to_owned();
        self.call(self.attempt_all("remove objects", Effect::Change), move |job| {
            let context = job.context.in_namespace(&namespace).map_err(|errno| job.failed(errno))?;
            for object in &objects {
                match context.remove_object(object) {
                    Ok(()) | Err(Errno::NOT_FOUND) => {}
                    Err(errno) => return Err(job.failed(errno)),
                }
            }
            Ok(())
        })
        .await
    }
}
