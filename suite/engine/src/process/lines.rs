//! Lines of a child's output, of any bytes and of bounded length.

use std::io::{ErrorKind, Read};

/// The longest line that is kept, in bytes.
pub const LONGEST: usize = 1 << 20;

/// Calls `take` with every line of `input`, without its end; a line of more than [`LONGEST`] bytes is left out.
pub fn read_lines(mut input: impl Read, take: &mut dyn FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    let mut line: Vec<u8> = Vec::new();
    let mut is_too_long = false;
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut parts = buffer[..read].split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            is_too_long |= line.len() + part.len() > LONGEST;
            match is_too_long {
                true => line = Vec::new(),
                false => line.extend_from_slice(part),
            }
            if parts.peek().is_some() {
                if !is_too_long {
                    take(&line);
                }
                line.clear();
                is_too_long = false;
            }
        }
    }
    if !line.is_empty() {
        take(&line);
    }
}
