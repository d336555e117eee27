//! Keeps a client open for as long as the application holds anything of it.
//!
//! Client handles, subscriptions, messages and publishes under way share one lease. The tasks of
//! the client do not: when the last of those is dropped, the client is closed in the background.

use std::ops::Deref;
use std::sync::Arc;

use crate::driver::Driver;

/// The application's share of a client. Dropping it closes the client.
#[derive(Debug)]
pub(crate) struct Lease {
    driver: Arc<Driver>,
}

impl Lease {
    pub(crate) fn new(driver: Arc<Driver>) -> Arc<Self> {
        Arc::new(Self { driver })
    }

    /// What threads may hold of the client, without keeping it open.
    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }
}

impl Deref for Lease {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.driver.close();
    }
}
