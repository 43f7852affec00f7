//! The file format of an exported tenant: a tar with a manifest and the output of `pg_dump`. Input is not trusted: a file must
//! have exactly these two entries, and the dump must match the length and checksum in the manifest. No name in it is used as a
//! path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Seek as _, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Failure};

/// Identifies the manifest.
const FORMAT: &str = "tenure-tenant";
/// The format version that this program writes, and the newest that it reads.
const FORMAT_VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DUMP: &str = "tenant.dump";
/// The maximum size of a manifest, in bytes.
const LONGEST: u64 = 64 << 20;

/// The manifest of an exported tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tenant) struct Manifest {
    pub(in crate::tenant) format: String,
    pub(in crate::tenant) format_version: u32,
    /// The version of Tenure.
    pub(in crate::tenant) tool_version: String,
    pub(in crate::tenant) tenant: Sent,
    pub(in crate::tenant) version: String,
    pub(in crate::tenant) template: Option<String>,
    /// The parameter values that affect the schema's structure.
    #[serde(default)]
    pub(in crate::tenant) parameters: BTreeMap<String, String>,
    /// All columns of the registry row.
    pub(in crate::tenant) registry: Option<serde_json::Map<String, serde_json::Value>>,
    pub(in crate::tenant) fingerprint: Print,
    /// The major version of the server.
    pub(in crate::tenant) postgresql: u32,
    pub(in crate::tenant) extensions: Vec<Extension>,
    /// Roles in privileges and policies, except the tenant's own.
    pub(in crate::tenant) roles: Vec<String>,
    /// The tablespaces of its tables and indexes, except the database's default.
    #[serde(default)]
    pub(in crate::tenant) tablespaces: Vec<String>,
    /// The publications that list its tables.
    #[serde(default)]
    pub(in crate::tenant) publications: Vec<Publication>,
    /// The tenant's own role, if any. An imported tenant gets a new one.
    #[serde(default)]
    pub(in crate::tenant) own_role: Option<String>,
    /// The owner, if it has default privileges in the schema. On import, these go to the importing role.
    #[serde(default)]
    pub(in crate::tenant) owner: Option<String>,
    pub(in crate::tenant) dump: Sum,
}

/// The identity of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tenant) struct Sent {
    pub(in crate::tenant) id: Option<String>,
    pub(in crate::tenant) slug: String,
    pub(in crate::tenant) name: Option<String>,
    pub(in crate::tenant) schema: String,
    pub(in crate::tenant) status: String,
}

/// The fingerprints of the schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tenant) struct Print {
    /// The fingerprint of all definitions; comparable between servers of one major version.
    pub(in crate::tenant) definition: String,
    /// The fingerprint of each object and part, by kind and name.
    pub(in crate::tenant) objects: BTreeMap<String, String>,
    /// The functions and operators that expressions of these objects and parts use.
    #[serde(default)]
    pub(in crate::tenant) uses: BTreeMap<String, Vec<String>>,
    /// The definition of each object and part, by property, for messages. Older exports have none.
    #[serde(default)]
    pub(in crate::tenant) texts: BTreeMap<String, BTreeMap<String, String>>,
}

/// A required extension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::tenant) struct Extension {
    pub(in crate::tenant) name: String,
    pub(in crate::tenant) version: String,
    pub(in crate::tenant) schema: String,
}

/// A table in a publication, or the whole schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tenant) struct Publication {
    pub(in crate::tenant) name: String,
    /// The table; the whole schema if missing.
    pub(in crate::tenant) table: Option<String>,
    /// The published columns; all if missing.
    pub(in crate::tenant) columns: Option<Vec<String>>,
    /// The condition on the published rows, as SQL.
    pub(in crate::tenant) condition: Option<String>,
}

/// The dump's length and checksum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::tenant) struct Sum {
    pub(in crate::tenant) bytes: u64,
    pub(in crate::tenant) sha256: String,
}

impl Manifest {
    /// The format's name and version.
    pub(in crate::tenant) fn format() -> (String, u32) {
        (FORMAT.to_owned(), FORMAT_VERSION)
    }
}

impl Sum {
    /// Reads a whole file.
    pub(in crate::tenant) fn of(file: &mut File) -> io::Result<Self> {
        file.rewind()?;
        let sum = Self::copy(file, &mut io::sink())?;
        file.rewind()?;
        Ok(sum)
    }

    fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Self> {
        let (mut hash, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 1 << 18]);
        loop {
            let read = from.read(&mut piece)?;
            let Some(part) = piece.get(..read).filter(|part| !part.is_empty()) else { break };
            hash.update(part);
            to.write_all(part)?;
            bytes += part.len() as u64;
        }
        Ok(Self { bytes, sha256: hex(&hash.finalize()) })
    }
}

/// Bytes in hexadecimal.
pub(in crate::tenant) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// Writes the manifest and the dump.
pub(in crate::tenant) fn write(manifest: &Manifest, dump: &mut File, out: impl Write) -> io::Result<()> {
    let mut builder = tar::Builder::new(out);
    let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
    builder.append_data(&mut head(text.len() as u64), MANIFEST, text.as_slice())?;
    dump.rewind()?;
    builder.append_data(&mut head(manifest.dump.bytes), DUMP, dump)?;
    builder.into_inner()?.flush()
}

fn head(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

/// Reads the manifest, and the dump into `into`.
pub(in crate::tenant) fn read(input: impl Read, into: &mut File) -> Result<Manifest, Failure> {
    let mut archive = tar::Archive::new(input);
    let mut entries = archive.entries().map_err(|error| damaged(&error))?;
    let mut entry = next(&mut entries, MANIFEST)?;
    if entry.size() > LONGEST {
        return Err(wrong("the manifest is too long"));
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|error| damaged(&error))?;
    let manifest = understand(&text)?;
    let mut entry = next(&mut entries, DUMP)?;
    let sum = Sum::copy(&mut entry, into).map_err(|error| damaged(&error))?;
    if sum != manifest.dump {
        return Err(wrong("the dump is not complete: its length or checksum differs from the manifest"));
    }
    drop(entry);
    match entries.next() {
        None => Ok(manifest),
        Some(_) => Err(wrong("it has entries besides the manifest and the dump")),
    }
}

fn understand(text: &[u8]) -> Result<Manifest, Failure> {
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| wrong(&format!("the manifest: {error}")))?;
    if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
        return Err(wrong("it has no manifest of a tenant"));
    }
    let version = value.get("format_version").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(FORMAT_VERSION)) {
        return Err(
            wrong("it was written by a newer Tenure").hint("import it with that release or a newer one")
        );
    }
    serde_json::from_value(value).map_err(|error| wrong(&format!("the manifest: {error}")))
}

/// The next entry, which must be a regular file with that name.
fn next<'a, R: Read>(entries: &mut tar::Entries<'a, R>, name: &str) -> Result<tar::Entry<'a, R>, Failure> {
    let entry = match entries.next() {
        Some(entry) => entry.map_err(|error| damaged(&error))?,
        None => return Err(wrong(&format!("it has no {name}"))),
    };
    let is_it = entry.path_bytes().as_ref() == name.as_bytes() && entry.header().entry_type().is_file();
    if is_it { Ok(entry) } else { Err(wrong(&format!("there is another entry instead of {name}"))) }
}

/// The tar reader's messages contain bytes of the input. If the user named another file by mistake, they may be secret.
fn damaged(error: &io::Error) -> Failure {
    match error.raw_os_error() {
        Some(_) => wrong(&format!("it cannot be read to its end: {error}")),
        None => wrong(&format!("it cannot be read to its end: {}", error.kind())),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(Code::ExportInvalid, format!("the file is not a complete export of a tenant: {why}"))
        .hint("check that the whole output of `tenure tenant export` was copied")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(dump: Sum) -> Manifest {
        let (format, format_version) = Manifest::format();
        Manifest {
            format,
            format_version,
            tool_version: "0".to_owned(),
            tenant: Sent {
                id: None,
                slug: "a".to_owned(),
                name: None,
                schema: "org_a".to_owned(),
                status: "active".to_owned(),
            },
            version: "1.0.0".to_owned(),
            template: None,
            parameters: BTreeMap::new(),
            registry: None,
            fingerprint: Print::default(),
            postgresql: 15,
            extensions: Vec::new(),
            roles: Vec::new(),
            tablespaces: Vec::new(),
            publications: Vec::new(),
            own_role: None,
            owner: None,
            dump,
        }
    }

    fn archive() -> Vec<u8> {
        let mut dump = tempfile::tempfile().unwrap();
        dump.write_all(&[7; 3_000]).unwrap();
        let manifest = manifest(Sum::of(&mut dump).unwrap());
        let mut out = Vec::new();
        write(&manifest, &mut dump, &mut out).unwrap();
        out
    }

    fn refused(bytes: &[u8]) -> String {
        let failure = read(bytes, &mut tempfile::tempfile().unwrap()).unwrap_err();
        assert_eq!(failure.code, Code::ExportInvalid);
        failure.message
    }

    /// A tar of these entries: type, name, text.
    fn tar(entries: &[(tar::EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (kind, name, text) in entries {
            let mut header = head(text.len() as u64);
            header.set_entry_type(*kind);
            // The crate refuses to write such a path.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *text).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_written_archive_is_read() {
        let mut into = tempfile::tempfile().unwrap();
        let found = read(archive().as_slice(), &mut into).unwrap();
        assert_eq!((found.dump.bytes, found.tenant.slug.as_str()), (3_000, "a"));
        assert_eq!(Sum::of(&mut into).unwrap(), found.dump);
    }

    #[test]
    fn a_truncated_or_changed_file_is_refused() {
        let whole = archive();
        // The last two blocks of a tar are empty.
        let end = whole.len() - 1_024;
        for cut in (0..end - 600).step_by(97) {
            assert!(!refused(&whole[..cut]).is_empty(), "{cut}");
        }
        let mut changed = whole.clone();
        changed[whole.len() - 2_000] ^= 1;
        assert!(refused(&changed).contains("checksum"));
        assert!(refused(&[]).contains("no manifest.json"));
        assert!(!refused(&[0xff; 4_096]).is_empty());
        assert!(!refused(b"PGDMP and so on").is_empty());
        let secret = b"root:secret:0:0:root\n".repeat(100);
        assert!(!refused(&secret).contains("secret"), "{}", refused(&secret));
    }

    #[test]
    fn a_crafted_file_is_refused() {
        let file = tar::EntryType::Regular;
        let good = serde_json::to_vec(&manifest(Sum::default())).unwrap();
        let newer =
            String::from_utf8(good.clone()).unwrap().replace("\"format_version\":1", "\"format_version\":2");
        assert!(refused(&tar(&[(file, MANIFEST, newer.as_bytes())])).contains("newer"));
        for entries in [
            vec![(file, "../../manifest.json", good.as_slice())],
            vec![(tar::EntryType::Symlink, MANIFEST, b"".as_slice())],
            vec![(file, DUMP, b"x".as_slice()), (file, MANIFEST, good.as_slice())],
            vec![(file, MANIFEST, b"{}".as_slice())],
            vec![(file, MANIFEST, b"[1, ".as_slice())],
            vec![(file, MANIFEST, good.as_slice()), (file, "/etc/passwd", b"x".as_slice())],
            vec![(file, MANIFEST, good.as_slice()), (tar::EntryType::Link, DUMP, b"".as_slice())],
            vec![(file, MANIFEST, good.as_slice()), (file, DUMP, b"x".as_slice())],
        ] {
            assert!(!refused(&tar(&entries)).is_empty(), "{entries:?}");
        }
    }
}
