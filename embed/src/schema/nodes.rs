//! Fields of files, directories and links, and of what files hold.

use super::butane;
use super::ignition::{COMPRESSION, HEADERS, SOURCE, VERIFICATION};
use super::{Field, Kind, List, ListKey, Record, Space};

use Kind::{Bool, Integer, Object, Text};

const PATH: Field = Field::new("path", "path", Text)
    .plain()
    .doc("The absolute path.");
const OVERWRITE: Field =
    Field::new("overwrite", "overwrite", Bool).doc("Remove what is at the path already.");
const OWNER: Field = Field::new("user", "user", Object(&OWNERSHIP)).doc("The owner.");
const OWNING_GROUP: Field =
    Field::new("group", "group", Object(&OWNERSHIP)).doc("The owning group.");
const MODE: Field = Field::new("mode", "mode", Integer)
    .doc("Permission bits: octal (0644) in Butane, their decimal value (420) in Ignition.");

/// An owner, by number or by name.
pub(super) static OWNERSHIP: Record = Record {
    name: "owner",
    fields: &[
        Field::new("id", "id", Integer).doc("The number."),
        Field::new("name", "name", Text).doc("The name."),
    ],
};

pub(super) static FILES: List = List {
    item: Object(&FILE),
    key: ListKey::Field("path"),
    space: Some(Space::Nodes),
};

static FILE: Record = Record {
    name: "file",
    fields: &[
        PATH,
        OVERWRITE,
        OWNER,
        OWNING_GROUP,
        Field::new("contents", "contents", Object(&CONTENTS)).doc("What the file holds."),
        Field::new("append", "append", Kind::List(&APPENDED)).doc("What is appended to the file."),
        MODE,
    ],
};

static APPENDED: List = List {
    item: Object(&CONTENTS),
    key: ListKey::Exempt,
    space: None,
};

pub(super) static DIRECTORIES: List = List {
    item: Object(&Record {
        name: "directory",
        fields: &[PATH, OVERWRITE, OWNER, OWNING_GROUP, MODE],
    }),
    key: ListKey::Field("path"),
    space: Some(Space::Nodes),
};

pub(super) static LINKS: List = List {
    item: Object(&LINK),
    key: ListKey::Field("path"),
    space: Some(Space::Nodes),
};

static LINK: Record = Record {
    name: "link",
    fields: &[
        PATH,
        OVERWRITE,
        OWNER,
        OWNING_GROUP,
        Field::new("target", "target", Text).doc("What the link points to."),
        Field::new("hard", "hard", Bool).doc("Make a hard link, not a symbolic one."),
    ],
};

/// Contents of a file; had compression and inline text from the beginning.
static CONTENTS: Record = Record {
    name: "contents",
    fields: &[
        SOURCE,
        COMPRESSION,
        HEADERS,
        VERIFICATION,
        butane::INLINE,
        butane::LOCAL,
    ],
};
