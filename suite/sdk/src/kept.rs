//! Values that the layers of a part keep from one call to the next.

use std::any::Any;

use crate::error::{Error, Result};

/// A value of each layer, of a type that the layer chooses.
#[derive(Default)]
pub struct Kept(Vec<Option<Box<dyn Any + Send + Sync>>>);

impl Kept {
    /// The value of `layer`; `make` creates it on first use.
    ///
    /// # Errors
    /// What `make` reports, and if the layer has kept a value of another type.
    pub fn of<K: Any + Send + Sync>(&mut self, layer: usize, make: impl FnOnce() -> Result<K>) -> Result<&mut K> {
        if self.0.len() <= layer {
            self.0.resize_with(layer + 1, || None);
        }
        let kept = match &mut self.0[layer] {
            Some(kept) => kept,
            missing => missing.insert(Box::new(make()?)),
        };
        kept.downcast_mut().ok_or_else(|| {
            let asked = std::any::type_name::<K>();
            Error::contract("backbone", format!("layer {layer} asks for a {asked} and has kept something else"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_keeps_its_type() {
        let mut kept = Kept::default();
        *kept.of(2, || Ok(5u32)).unwrap() += 1;
        assert_eq!(*kept.of(2, || Ok(0u32)).unwrap(), 6);
        assert!(kept.of(0, || Err::<u32, Error>(Error::invalid("a", "b", "c"))).is_err());
        assert_eq!(*kept.of(0, || Ok("later")).unwrap(), "later");
        let error = kept.of(2, || Ok(0.0f64)).unwrap_err().to_string();
        assert!(error.contains("layer 2 asks for a f64"), "{error}");
    }
}
