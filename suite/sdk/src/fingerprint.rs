//! Fingerprint: what two libraries must have in common before one may call into the other.
//!
//! Rust has no stable ABI and symbol names do not check one: a method added to a trait shifts the vtable, and a
//! stale plugin then calls the wrong function without any error. So every plugin carries a fingerprint in an ELF
//! section that the host reads, without loading the library, before anything of the plugin can run.

/// Name of the ELF section that carries the fingerprint.
pub const SECTION: &str = ".haltbench";

/// Starts the fingerprint in the section.
pub const MAGIC: &str = "haltbench-plugin-1;";

/// Fields in the order of the fingerprint: compiler, target, profile, features, hash of the SDK's sources, candle.
const TEXT: &str = concat!("haltbench-plugin-1;", env!("HALTBENCH_FINGERPRINT"));

/// Length of the fingerprint in the section, in bytes; shorter ones are filled with zeros.
pub const LENGTH: usize = 512;

/// The fingerprint of the SDK as the crate that names this constant was compiled with it.
pub const FINGERPRINT: [u8; LENGTH] = padded();

const fn padded() -> [u8; LENGTH] {
    let text = TEXT.as_bytes();
    assert!(text.len() < LENGTH, "the fingerprint outgrew its section");
    let mut bytes = [0; LENGTH];
    let mut index = 0;
    while index < text.len() {
        bytes[index] = text[index];
        index += 1;
    }
    bytes
}

/// The fields of a fingerprint as (name, value); `None` if the bytes are not a fingerprint.
pub fn fields(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = std::str::from_utf8(&bytes[..end]).ok()?.strip_prefix(MAGIC)?;
    text.split_terminator(';')
        .map(|field| field.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect()
}

/// The fields of this build.
pub fn own_fields() -> Vec<(String, String)> {
    fields(&FINGERPRINT).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{FINGERPRINT, fields};

    #[test]
    fn names_every_field_of_this_build() {
        let fields = fields(&FINGERPRINT).unwrap();
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["rustc", "target", "profile", "features", "sdk", "candle"]);
        assert!(fields.iter().all(|(_, value)| !value.is_empty() && value != "unknown"), "{fields:?}");
        assert_eq!(super::fields(b"something else"), None);
    }
}
