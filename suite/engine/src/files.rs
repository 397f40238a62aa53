//! Files that users name: only regular files are opened, and only as much is read as was allowed.
//!
//! Opening a FIFO waits for its writer, a device may have no end, and a file may be larger than memory.

use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens the regular file at `path`; also returns its length in bytes.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if it is of another type, such as a folder, a FIFO or a device; else what the system
/// reports.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Looks before it opens, because opening a FIFO would wait.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        let found = kind(metadata.file_type());
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("expected a regular file, found {found}")));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// The bytes of the regular file at `path`.
///
/// # Errors
/// Like [`open`], and [`ErrorKind::InvalidInput`] if it has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    let large = |found: String| {
        Err(io::Error::new(ErrorKind::InvalidInput, format!("expected at most {most} bytes, found {found}")))
    };
    if length > most {
        return large(length.to_string());
    }
    let mut bytes = Vec::new();
    // A file of /proc has no length, and any file may grow.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { large("more".to_owned()) } else { Ok(bytes) }
}

/// The text of the regular file at `path`, without a byte order mark.
///
/// # Errors
/// Like [`read`], and [`ErrorKind::InvalidInput`] if it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::from_utf8(read(path, most)?).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        io::Error::new(ErrorKind::InvalidInput, format!("expected text in UTF-8, found another byte at {place}"))
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn kind(file: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file.is_fifo() {
            return "a FIFO";
        }
        if file.is_char_device() || file.is_block_device() {
            return "a device";
        }
        if file.is_socket() {
            return "a socket";
        }
    }
    if file.is_dir() { "a folder" } else { "something else" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = std::env::temp_dir().join(format!("haltbench-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("text");
        fs::write(&file, "\u{feff}abc").unwrap();
        assert_eq!(read_text(&file, 6).unwrap(), "abc");
        assert_eq!(read(&file, 6).unwrap().len(), 6);
        let said = |error: io::Error| (error.kind(), error.to_string());
        let refused = |message: &str| (ErrorKind::InvalidInput, message.to_owned());
        assert_eq!(said(read(&file, 5).unwrap_err()), refused("expected at most 5 bytes, found 6"));
        fs::write(&file, b"ab\xff").unwrap();
        let message = "expected text in UTF-8, found another byte at 2";
        assert_eq!(said(read_text(&file, 9).unwrap_err()), refused(message));
        assert_eq!(said(read(&folder, 9).unwrap_err()), refused("expected a regular file, found a folder"));
        let device = said(read(Path::new("/dev/zero"), 9).unwrap_err());
        assert_eq!(device, refused("expected a regular file, found a device"));
        assert_eq!(read(&folder.join("absent"), 9).unwrap_err().kind(), ErrorKind::NotFound);
        // Says that it has no bytes, and has some.
        assert_eq!(
            said(read(Path::new("/proc/self/status"), 9).unwrap_err()),
            refused("expected at most 9 bytes, found more")
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
