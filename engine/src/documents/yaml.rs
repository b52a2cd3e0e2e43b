//! YAML text as a tree in which every node knows its place; the strict subset configuration needs.
//!
//! Owns: limits, the refusal of anchors, aliases, merge keys, tags, several documents and double
//! keys. Must not: know any document's keys. Called by the readers of documents.

use super::rules;
use model::{Component, Finding, Span};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use std::collections::BTreeMap;

/// Largest document, in bytes (256 KiB).
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of maps and lists.
pub const DEPTH_MAX: usize = 32;
/// Most nodes (maps, lists, scalars) of one document.
pub const NODES_MAX: u32 = 50_000;
/// Most findings one document may yield; after that reading it stops.
pub const DOCUMENT_FINDINGS_MAX: usize = 200;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place as a span of `file`.
    #[must_use]
    pub fn in_file(self, file: &str) -> Span {
        Span { file: file.to_owned(), line: self.line, column: self.column }
    }
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a number, a boolean or null.
    Plain,
    /// In quotes or as a block: always text.
    Quoted,
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Number of the node in its document, unique there.
    pub id: u32,
    /// Where it starts; an empty value has the place of its key.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A scalar.
    Scalar {
        /// The text without quotes.
        text: String,
        /// How it was written.
        style: Style,
        /// Whether `${` occurs in it.
        variables: bool,
    },
    /// A list.
    Seq(Vec<Node>),
    /// A map in the order of the text; keys are unique.
    Map(Vec<(Key, Node)>),
    /// Something a finding already speaks of; readers pass over it.
    Refused,
}

/// The key of a map entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The text.
    pub text: String,
    /// Where it starts.
    pub place: Place,
}

impl Node {
    /// The value of `key` when this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The entry of `key` when this is a map that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Key, Node)> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|(k, _)| k.text == key),
            _ => None,
        }
    }

    /// The entries when this is a map, else nothing.
    #[must_use]
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items when this is a list, else nothing.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Seq(items) => items,
            _ => &[],
        }
    }

    /// The text when this is a scalar.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// An empty value, as an empty document is read.
    #[must_use]
    pub fn empty() -> Self {
        let kind = Kind::Scalar { text: String::new(), style: Style::Plain, variables: false };
        Self { id: 0, place: Place::START, kind }
    }
}

/// What reading a text gave.
#[derive(Debug)]
pub struct Parsed {
    /// The tree; `None` when the text is no YAML at all or breaks a limit.
    pub root: Option<Node>,
    /// What is wrong, with places.
    pub findings: Vec<Finding>,
}

/// Reads the bytes of `file`; never panics, whatever the bytes are.
#[must_use]
pub fn parse_bytes(file: &str, component: Component, bytes: &[u8]) -> Parsed {
    let refuse = |finding: Finding| Parsed { root: None, findings: vec![finding] };
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return refuse(too_large(file, component, bytes.len()));
    }
    match text_of(file, component, bytes) {
        Ok(text) => parse(file, component, text, 0),
        Err(finding) => refuse(*finding),
    }
}

pub(super) fn too_large(file: &str, component: Component, bytes: usize) -> Finding {
    let message = format!("the file has {bytes} bytes; the limit is {DOCUMENT_BYTES_MAX}");
    Finding::error(rules::LIMIT, component, message)
        .at(Place::START.in_file(file))
        .hint("split the group, or remove what is not configuration")
}

/// The bytes as text without a byte order mark, or a finding at the first byte that is no UTF-8.
pub(super) fn text_of<'a>(
    file: &str,
    component: Component,
    bytes: &'a [u8],
) -> Result<&'a str, Box<Finding>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = good.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        let column = good.get(line_start..).map_or(0, |l| String::from_utf8_lossy(l).chars().count()) + 1;
        let finding = Finding::error(rules::SYNTAX, component, "the file is not UTF-8 text from here on")
            .at(place(line, column).in_file(file));
        Box::new(finding.hint("save it as UTF-8"))
    })
}

/// Reads `text` whose first line is line `lines_before + 1` of `file`.
#[must_use]
pub fn parse(file: &str, component: Component, text: &str, lines_before: u32) -> Parsed {
    let mut builder = Builder {
        file,
        component,
        lines_before,
        stack: Vec::new(),
        root: None,
        nodes: 0,
        last_id: 0,
        documents: 0,
        skipping: false,
        findings: Vec::new(),
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(step) = parser.next_event() {
        match step {
            Ok((event, span)) => {
                if builder.take(event, span.start).is_err() {
                    builder.root = None;
                    return Parsed { root: None, findings: builder.findings };
                }
            }
            Err(error) => {
                let at = builder.place(*error.marker());
                let finding = syntax_error(file, component, at, error.info(), text, lines_before);
                builder.findings.push(finding);
                return Parsed { root: None, findings: builder.findings };
            }
        }
    }
    Parsed { root: Some(builder.root.unwrap_or_else(Node::empty)), findings: builder.findings }
}

fn syntax_error(
    file: &str,
    component: Component,
    at: Place,
    info: &str,
    text: &str,
    lines_before: u32,
) -> Finding {
    let message = format!("not readable as YAML here: {info}");
    let finding = Finding::error(rules::SYNTAX, component, message).at(at.in_file(file));
    let index = usize::try_from(at.line.saturating_sub(lines_before + 1)).unwrap_or(usize::MAX);
    let line = text.lines().nth(index).unwrap_or_default();
    if line.contains("${") {
        finding.hint("inside { } and [ ] write variables in quotes: \"${host.name}\"")
    } else if line.trim_start_matches(' ').starts_with('\t') {
        finding.hint("indent with blanks, not with tabs")
    } else {
        finding.hint("check the indentation, quotes and brackets of this line and the one above")
    }
}

fn place(line: usize, column: usize) -> Place {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: narrow(line), column: narrow(column) }
}

/// A collection that is being filled.
enum Open {
    Seq { place: Place, items: Vec<Node> },
    Map { place: Place, entries: Vec<(Key, Node)>, index: BTreeMap<String, u32>, key: PendingKey },
}

enum PendingKey {
    /// The next node is a key.
    Wanted,
    /// The next node is the value of this key.
    Have(Key),
    /// The next node belongs to a key that was refused.
    Refused,
}

struct Builder<'a> {
    file: &'a str,
    component: Component,
    lines_before: u32,
    stack: Vec<Open>,
    root: Option<Node>,
    nodes: u32,
    last_id: u32,
    documents: u32,
    skipping: bool,
    findings: Vec<Finding>,
}

/// A limit is broken; the finding is recorded.
struct Stop;

impl Builder<'_> {
    fn place(&self, marker: Marker) -> Place {
        let before = usize::try_from(self.lines_before).unwrap_or(0);
        place(marker.line().max(1) + before, marker.col() + 1)
    }

    fn finding(&mut self, rule: &str, at: Place, message: impl Into<String>, hint: &str) {
        if self.findings.len() < DOCUMENT_FINDINGS_MAX {
            let span = at.in_file(self.file);
            self.findings.push(Finding::error(rule, self.component, message).at(span).hint(hint));
        }
    }

    fn take(&mut self, event: Event<'_>, start: Marker) -> Result<(), Stop> {
        let at = self.place(start);
        if self.skipping {
            return Ok(());
        }
        match event {
            Event::DocumentStart(_) => self.document(at),
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at)?;
                self.refuse_extras(at, anchor, tag.is_some());
                self.scalar(text.into_owned(), style, at);
            }
            Event::Alias(_) => {
                self.count(at)?;
                self.finding(
                    rules::REFUSED_FEATURE,
                    at,
                    "aliases (`*name`) are not used here",
                    "write the value out",
                );
                self.refused(at);
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(at, anchor, tag.is_some())?;
                self.stack.push(Open::Seq { place: at, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.open(at, anchor, tag.is_some())?;
                let (entries, index) = (Vec::new(), BTreeMap::new());
                self.stack.push(Open::Map { place: at, entries, index, key: PendingKey::Wanted });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn document(&mut self, at: Place) {
        self.documents += 1;
        if self.documents == 2 {
            let hint = "keep one document per file";
            self.finding(rules::REFUSED_FEATURE, at, "a second YAML document starts here", hint);
            self.skipping = true;
        }
    }

    fn count(&mut self, at: Place) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("the document has more than {NODES_MAX} values");
            self.finding(rules::LIMIT, at, message, "split the group");
            return Err(Stop);
        }
        Ok(())
    }

    fn open(&mut self, at: Place, anchor: usize, tagged: bool) -> Result<(), Stop> {
        self.count(at)?;
        self.refuse_extras(at, anchor, tagged);
        if self.stack.len() >= DEPTH_MAX {
            let message = format!("maps and lists are nested deeper than {DEPTH_MAX} levels");
            self.finding(rules::LIMIT, at, message, "no document needs that: flatten it");
            return Err(Stop);
        }
        Ok(())
    }

    fn refuse_extras(&mut self, at: Place, anchor: usize, tagged: bool) {
        if anchor > 0 {
            let message = "anchors (`&name`) are not used here";
            self.finding(rules::REFUSED_FEATURE, at, message, "remove it and write the values out");
        }
        if tagged {
            let hint = "remove it; put the value in quotes when it is meant as text";
            self.finding(rules::REFUSED_FEATURE, at, "tags (`!name`) are not used here", hint);
        }
    }

    fn node(&mut self, place: Place, kind: Kind) -> Node {
        self.last_id += 1;
        Node { id: self.last_id, place, kind }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, at: Place) {
        if let Some(Open::Map { key: PendingKey::Wanted, .. }) = self.stack.last() {
            return self.key(text, style, at);
        }
        let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
        let mut place = at;
        if text.is_empty()
            && style == Style::Plain
            && let Some(Open::Map { key: PendingKey::Have(key), .. }) = self.stack.last()
        {
            place = key.place;
        }
        let variables = text.contains("${");
        let node = self.node(place, Kind::Scalar { text, style, variables });
        self.put(node);
    }

    fn key(&mut self, text: String, style: ScalarStyle, at: Place) {
        let Some(Open::Map { index, key, .. }) = self.stack.last_mut() else { return };
        if text == "<<" && style == ScalarStyle::Plain {
            *key = PendingKey::Refused;
            let message = "merge keys (`<<`) are not used here";
            return self.finding(rules::REFUSED_FEATURE, at, message, "write the values out");
        }
        if let Some(first) = index.get(&text) {
            let message = format!("key `{text}` is given twice; the first one is on line {first}");
            *key = PendingKey::Refused;
            return self.finding(rules::DUPLICATE_KEY, at, message, "keep one of them");
        }
        index.insert(text.clone(), at.line);
        *key = PendingKey::Have(Key { text, place: at });
    }

    fn refused(&mut self, at: Place) {
        let node = self.node(at, Kind::Refused);
        self.put(node);
    }

    fn put(&mut self, node: Node) {
        let at = node.place;
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::Seq { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match std::mem::replace(key, PendingKey::Wanted) {
                PendingKey::Have(name) => entries.push((name, node)),
                PendingKey::Refused => {}
                PendingKey::Wanted => {
                    *key = PendingKey::Refused;
                    let message = "a key is a map, a list or an alias";
                    self.finding(rules::REFUSED_FEATURE, at, message, "use plain text as key");
                }
            },
        }
    }

    fn close(&mut self) {
        let node = match self.stack.pop() {
            None => return,
            Some(Open::Seq { place, items }) => self.node(place, Kind::Seq(items)),
            Some(Open::Map { place, entries, .. }) => self.node(place, Kind::Map(entries)),
        };
        self.put(node);
    }
}
