//! Reads a plugin's fingerprint from its ELF section, without opening the library: opening runs its constructors.

use std::fs::{self, File};
use std::path::Path;

use haltbench_sdk::fingerprint::{self, LENGTH, SECTION};
use object::Endianness;
use object::elf::{ET_DYN, FileHeader64, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS};
use object::read::elf::{FileHeader, SectionHeader};
use object::read::{ReadCache, ReadRef};

use super::error::{PluginError, inaccessible};

/// The first bytes of every ELF file.
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// The fields of the fingerprint that the library `file` carries, as (name, value). Reads the headers and the
/// fingerprint, a few kilobytes however large the library is.
///
/// # Errors
/// [`PluginError`] if the file is missing or unreadable, is not a 64-bit ELF shared object, ends too early, or has no
/// fingerprint or one of another format.
pub fn read_fingerprint(file: &Path) -> Result<Vec<(String, String)>, PluginError> {
    let metadata = fs::metadata(file).map_err(|error| inaccessible(file, error))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a directory" } else { "not a regular file" };
        return Err(PluginError::NotALibrary { file: file.to_owned(), found: found.to_owned() });
    }
    let contents = ReadCache::new(File::open(file).map_err(|error| inaccessible(file, error))?);
    let bytes = section(file, &contents)?;
    fingerprint::fields(bytes).ok_or_else(|| PluginError::ForeignFingerprint {
        file: file.to_owned(),
        found: String::from_utf8_lossy(&bytes[..bytes.len().min(24)]).trim_end_matches('\0').to_owned(),
    })
}

/// Hash of the loaded sections of the library `file`, code and constants. It does not depend on debug information or
/// build time.
///
/// # Errors
/// [`PluginError`] like [`read_fingerprint`].
pub fn hash_code(file: &Path) -> Result<String, PluginError> {
    let bytes = fs::read(file).map_err(|error| inaccessible(file, error))?;
    let truncated = || PluginError::Truncated { file: file.to_owned(), part: "the section table" };
    let data = bytes.as_slice();
    let header = FileHeader64::<Endianness>::parse(data).map_err(|_| truncated())?;
    let endian = header.endian().map_err(|_| truncated())?;
    let sections = header.sections(endian, data).map_err(|_| truncated())?;
    let mut hasher = blake3::Hasher::new();
    for section in sections.iter() {
        let is_loaded = section.sh_flags(endian).0 & SHF_ALLOC.0 != 0;
        if is_loaded && section.sh_type(endian) == SHT_PROGBITS {
            hasher.update(section.data(endian, data).map_err(|_| truncated())?);
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// The first [`LENGTH`] bytes of the section; the linker appends an identical copy for each further registration.
fn section<'data>(file: &Path, contents: &'data ReadCache<File>) -> Result<&'data [u8], PluginError> {
    let not_a_library = |found: &str| PluginError::NotALibrary { file: file.to_owned(), found: found.to_owned() };
    let truncated = |part: &'static str| PluginError::Truncated { file: file.to_owned(), part };

    match contents.read_bytes_at(0, ELF_MAGIC.len() as u64) {
        Ok(start) if start == ELF_MAGIC => {}
        _ => return Err(not_a_library("something else")),
    }
    if contents.len().is_ok_and(|length| length < size_of::<FileHeader64<Endianness>>() as u64) {
        return Err(truncated("the file header"));
    }
    let header = FileHeader64::<Endianness>::parse(contents).map_err(|_| not_a_library("another kind of ELF file"))?;
    let endian = header.endian().map_err(|_| not_a_library("an ELF file of unknown byte order"))?;
    if header.e_type(endian) != ET_DYN {
        return Err(not_a_library("an ELF file that is no shared object"));
    }
    let sections = header.sections(endian, contents).map_err(|_| truncated("the section table"))?;
    let Some((_, section)) = sections.section_by_name(endian, SECTION.as_bytes()) else {
        return Err(PluginError::NotAPlugin { file: file.to_owned() });
    };
    if section.sh_type(endian) == SHT_NOBITS || section.sh_size(endian) < LENGTH as u64 {
        return Err(truncated("the fingerprint"));
    }
    contents.read_bytes_at(section.sh_offset(endian), LENGTH as u64).map_err(|()| truncated("the fingerprint"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn refusal(name: &str, contents: &[u8]) -> String {
        let file: PathBuf = std::env::temp_dir().join(format!("haltbench-elf-{}-{name}", std::process::id()));
        fs::write(&file, contents).unwrap();
        let error = read_fingerprint(&file).unwrap_err().to_string();
        fs::remove_file(&file).unwrap();
        error.replace(&file.display().to_string(), "FILE")
    }

    #[test]
    fn refuses_what_is_no_shared_object() {
        assert_eq!(refusal("empty", b""), "FILE: expected a 64-bit ELF shared object, found something else");
        assert_eq!(refusal("text", b"policy = 1"), "FILE: expected a 64-bit ELF shared object, found something else");
        assert_eq!(refusal("start", b"\x7fELF\x02\x01"), "FILE: truncated: it ends before the file header does");
        let mut narrow = [0; 64];
        narrow[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        assert_eq!(
            refusal("narrow", &narrow),
            "FILE: expected a 64-bit ELF shared object, found another kind of ELF file"
        );
    }

    #[test]
    fn refuses_a_folder_and_names_the_nearest_file_for_a_missing_one() {
        let error = read_fingerprint(Path::new("/usr")).unwrap_err();
        assert_eq!(error.to_string(), "/usr: expected a 64-bit ELF shared object, found a directory");
        let error = read_fingerprint(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.tml"))).unwrap_err();
        assert!(error.to_string().ends_with("no such file; did you mean `Cargo.toml`?"), "{error}");
    }
}
