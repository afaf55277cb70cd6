//! A program that runs beside a task.

use std::process::Child;

/// A process that is ended by its id when this goes.
pub(crate) struct RunningProcess(pub(crate) Child);

impl Drop for RunningProcess {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _already_reaped = self.0.wait();
    }
}
