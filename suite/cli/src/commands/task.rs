//! The flags that configure a task.

use std::path::PathBuf;

use clap::Args;
use haltbench_sdk::Error;
use haltbench_sdk::task::{Task, admit_size};

use crate::assign;
use crate::catalogue;
use crate::failure::Failure;
use crate::guard::guarded;

/// A task and its parameters.
#[derive(Debug, Args)]
pub struct TaskArguments {
    /// Name of the task (see `haltbench list tasks`)
    #[arg(long, value_name = "TASK")]
    task: String,
    /// Set a parameter of the task (see `haltbench explain TASK`); may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
}

/// A configured task.
pub struct ConfiguredTask {
    /// Its name.
    pub name: &'static str,
    /// The task.
    pub task: Box<dyn Task>,
}

impl TaskArguments {
    /// Finds and builds the task.
    ///
    /// # Errors
    /// If its name or a parameter is wrong.
    pub fn build(&self, plugins: &[PathBuf]) -> Result<ConfiguredTask, Failure> {
        let declaration = catalogue::load(plugins)?.task(&self.task)?;
        let parameters = assign::resolve(declaration.name, declaration.parameters, &self.assignments)?;
        let task = guarded(declaration.name, || (declaration.build)(&parameters))?;
        Ok(ConfiguredTask { name: declaration.name, task })
    }
}

impl ConfiguredTask {
    /// The requested size, if the task can express it.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the valid sizes.
    pub fn size(&self, given: Option<u32>) -> Result<u32, Error> {
        let operand = || format!("size of {}", self.name);
        match (&self.task.spec().size, given) {
            (Some(knob), Some(size)) => admit_size(self.name, knob, size).map(|()| size),
            (Some(knob), None) => {
                let expected = format!("--size with {} from {} to {}", knob.name, knob.minimum, knob.maximum);
                Err(Error::invalid(operand(), expected, "none"))
            }
            (None, None | Some(0)) => Ok(0),
            (None, Some(size)) => Err(Error::invalid(operand(), "0 or none: the task has no size", size)),
        }
    }
}
