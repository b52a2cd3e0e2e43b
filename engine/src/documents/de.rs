//! serde over the spanned tree: any type of `model` is read straight from borrowed nodes.
//!
//! Owns: variables and overrides looked up on the fly (no copy of the tree), places of errors, and
//! reading on after an error. Must not: know what a document means. Called by the readers of
//! documents and by `resolve`.

use super::error::{NodeKey, Problem, ReadError, Source, shortened};
use super::near::nearest;
use super::rules;
use super::scalar::{Plain, classify};
use super::template::{Variables, View};
use super::yaml::{DOCUMENT_FINDINGS_MAX, Key, Kind, Node, Place, Style};
use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use std::collections::{BTreeMap, BTreeSet};

/// Most nodes read again in one document because of errors.
const READ_NODES_MAX: usize = 2_000_000;

/// Values of one host put over a tree that stays as it is.
#[derive(Debug, Default)]
pub struct Overlay<'a> {
    /// Nodes that stand in for others.
    pub replaced: BTreeMap<NodeKey, &'a Node>,
    /// Entries put into maps.
    pub added: BTreeMap<NodeKey, Vec<(Key, &'a Node)>>,
}

/// What a tree is read with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs<'a> {
    /// Values of `${...}`; without them the text is taken as it is.
    pub variables: Option<&'a Variables<'a>>,
    /// Overrides of the host.
    pub overlay: Option<&'a Overlay<'a>>,
}

/// A tree read into a type.
#[derive(Debug)]
pub struct Read<T> {
    /// The value, without the parts that were wrong; `None` when it makes no sense without them.
    pub value: Option<T>,
    /// Everything that is wrong.
    pub errors: Vec<ReadError>,
    /// Whether nothing was left out.
    pub complete: bool,
}

/// Reads `root` into `T`. After an error the smallest part around it is left out and the rest is
/// read again, so that all errors are found, up to `DOCUMENT_FINDINGS_MAX`.
pub fn read<T: DeserializeOwned>(root: &Node, inputs: Inputs<'_>) -> Read<T> {
    let mut dropped = BTreeSet::new();
    let mut errors = Vec::new();
    loop {
        let attempt = {
            let context = Context { inputs, dropped: &dropped };
            let at = context.at(root, Source::Document, Expand::Yes);
            T::deserialize(TreeDeserializer { at, context: &context })
                .map_err(|error| context.claim(error, at, Droppable::No))
        };
        let mut error = match attempt {
            Ok(value) => return Read { value: Some(value), errors, complete: dropped.is_empty() },
            Err(error) => error,
        };
        let entry = error.problem().entry;
        if !error.problem().consequence {
            errors.push(error);
        }
        let goes_on = entry.is_some_and(|entry| dropped.insert(entry));
        if !goes_on {
            return Read { value: None, errors, complete: false };
        }
        if errors.len() >= DOCUMENT_FINDINGS_MAX || work(&errors, root) > READ_NODES_MAX {
            let message = format!("more than {} problems; the rest is not shown", errors.len());
            let mut last = ReadError::new(rules::LIMIT, message, Some("repair these first".to_owned()));
            last.problem().place = Some((Source::Document, root.place));
            errors.push(last);
            return Read { value: None, errors, complete: false };
        }
    }
}

/// Nodes read again because of errors, about.
pub(crate) fn work(errors: &[ReadError], root: &Node) -> usize {
    errors.len().saturating_mul(usize::try_from(root.id).unwrap_or(usize::MAX))
}

/// Whether `${...}` means something in a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expand {
    Yes,
    No,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Droppable {
    Yes,
    No,
}

/// A node with what is known about its way here.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) source: Source,
    pub(super) expand: Expand,
    /// The node that stood here before overrides: what is dropped to read on.
    entry: NodeKey,
}

struct Context<'a> {
    inputs: Inputs<'a>,
    dropped: &'a BTreeSet<NodeKey>,
}

impl<'a> Context<'a> {
    fn at(&self, node: &'a Node, source: Source, expand: Expand) -> At<'a> {
        let entry = NodeKey { source, id: node.id };
        match self.inputs.overlay.and_then(|overlay| overlay.replaced.get(&entry)) {
            Some(node) => At { node, source: Source::Host, expand: Expand::Yes, entry },
            None => At { node, source, expand, entry },
        }
    }

    fn is_live(&self, at: &At<'_>) -> bool {
        at.node.kind != Kind::Refused && (self.dropped.is_empty() || !self.dropped.contains(&at.entry))
    }

    fn added(&self, map: &At<'_>) -> &'a [(Key, &'a Node)] {
        let key = NodeKey { source: map.source, id: map.node.id };
        self.inputs.overlay.and_then(|overlay| overlay.added.get(&key)).map_or(&[], Vec::as_slice)
    }

    /// What the node is once its variables are filled in.
    fn view(&self, at: At<'a>) -> Result<View<'a>, ReadError> {
        match &at.node.kind {
            Kind::Map(_) => Ok(View::Map(at)),
            Kind::Seq(_) => Ok(View::Seq(at)),
            Kind::Refused => Ok(View::Plain("")),
            Kind::Scalar { text, variables: true, .. } if at.expand == Expand::Yes => {
                match self.inputs.variables {
                    Some(variables) => variables.expand(text).and_then(|value| self.value_view(at, value)),
                    None => Ok(View::Text(text.into())),
                }
            }
            Kind::Scalar { text, style: Style::Plain, .. } => Ok(View::Plain(text)),
            Kind::Scalar { text, style: Style::Quoted, .. } => Ok(View::Text(text.into())),
        }
    }

    fn value_view(&self, at: At<'a>, value: super::template::Value<'a>) -> Result<View<'a>, ReadError> {
        use super::template::Value;
        match value {
            Value::Number(number) => Ok(View::Number(number)),
            Value::Text(text) => Ok(View::Text(text)),
            Value::Node(node) => {
                self.view(At { node, source: Source::Host, expand: Expand::No, entry: at.entry })
            }
        }
    }

    /// Gives an error that passes `at` on its way up its place and what to drop, if still open.
    fn claim(&self, mut error: ReadError, at: At<'a>, droppable: Droppable) -> ReadError {
        let problem = error.problem();
        if problem.entry.is_some() {
            return error;
        }
        let named = problem.key.as_deref().and_then(|key| self.entry_of(&at, key));
        if problem.place.is_none() {
            problem.place = Some((at.source, at.node.place));
            problem.consequence = problem.consequence || self.is_consequence(problem, &at);
            match (problem.rule, named) {
                (rules::MISSING_KEY, _) => {}
                (_, Some(entry)) => {
                    problem.place = Some((entry.source, entry.key.place));
                    if problem.rule == rules::UNKNOWN_KEY {
                        problem.entry = Some(entry.at.entry);
                        return error;
                    }
                }
                (_, None) => self.explain_value(problem, at),
            }
        }
        if droppable == Droppable::Yes {
            error.problem().entry = Some(at.entry);
        }
        error
    }

    /// Whether a problem of a whole map only comes from entries left out before.
    fn is_consequence(&self, problem: &Problem, map: &At<'a>) -> bool {
        let mut lost = MapReader::new(self, *map).all().filter(|entry| !self.is_live(&entry.at));
        match (problem.rule, problem.key.as_deref()) {
            (rules::MISSING_KEY, Some(key)) => lost.any(|entry| nearest(&entry.key.text, [key]).is_some()),
            (_, None) => lost.next().is_some(),
            (_, Some(_)) => false,
        }
    }

    /// Names the value, and says where the value of a variable comes from.
    fn explain_value(&self, problem: &mut Problem, at: At<'a>) {
        let Kind::Scalar { text, variables, .. } = &at.node.kind else { return };
        if problem.message.starts_with("invalid IP") {
            problem.message = format!("`{}` is not a valid IP address", shortened(text));
        }
        if !variables {
            return;
        }
        let is_value = matches!(problem.rule, rules::BAD_VALUE) && at.expand == Expand::Yes;
        if let (true, Some(variables)) = (is_value, self.inputs.variables) {
            problem.hint = Some(match (variables.origin(text), problem.hint.take()) {
                (origin, Some(hint)) => format!("{hint}; {origin}"),
                (origin, None) => origin,
            });
        }
    }

    fn entry_of(&self, map: &At<'a>, key: &str) -> Option<Entry<'a>> {
        MapReader::new(self, *map).all().find(|entry| entry.key.text == key)
    }
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    key: &'a Key,
    source: Source,
    at: At<'a>,
}

struct MapReader<'a, 'c> {
    context: &'c Context<'a>,
    map: At<'a>,
    own: std::slice::Iter<'a, (Key, Node)>,
    added: std::slice::Iter<'a, (Key, &'a Node)>,
    current: Option<Entry<'a>>,
}

impl<'a, 'c> MapReader<'a, 'c> {
    fn new(context: &'c Context<'a>, map: At<'a>) -> Self {
        let (own, added) = (map.node.entries().iter(), context.added(&map).iter());
        Self { context, map, own, added, current: None }
    }

    /// Every entry, those to be passed over included.
    fn all(mut self) -> impl Iterator<Item = Entry<'a>> {
        std::iter::from_fn(move || self.next_entry())
    }

    fn next_entry(&mut self) -> Option<Entry<'a>> {
        if let Some((key, node)) = self.own.next() {
            let at = self.context.at(node, self.map.source, self.map.expand);
            return Some(Entry { key, source: self.map.source, at });
        }
        let (key, node) = self.added.next()?;
        let at = self.context.at(node, Source::Host, Expand::Yes);
        Some(Entry { key, source: Source::Host, at })
    }

    fn next_live(&mut self) -> Option<Entry<'a>> {
        loop {
            let entry = self.next_entry()?;
            if self.context.is_live(&entry.at) {
                return Some(entry);
            }
        }
    }

    /// An error when entries are left over that nobody asked for.
    fn finish(mut self) -> Result<(), ReadError> {
        match self.next_live() {
            None => Ok(()),
            Some(entry) => {
                let message = format!("`{}` does not belong here", entry.key.text);
                Err(key_error(ReadError::new(rules::BAD_VALUE, message, None), entry))
            }
        }
    }
}

fn key_error(mut error: ReadError, entry: Entry<'_>) -> ReadError {
    let problem = error.problem();
    if problem.entry.is_none() {
        problem.place.get_or_insert((entry.source, entry.key.place));
        problem.entry = Some(entry.at.entry);
    }
    error
}

impl<'a> de::MapAccess<'a> for MapReader<'a, '_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        self.current = self.next_live();
        let Some(entry) = self.current else { return Ok(None) };
        let text = entry.key.text.as_str();
        let expands = self.context.inputs.variables.is_some() && text.contains("${");
        let key = if expands && self.map.expand == Expand::Yes {
            super::template::unescape_key(text)
                .and_then(|text| seed.deserialize(StringDeserializer::<ReadError>::new(text)))
        } else {
            seed.deserialize(BorrowedStrDeserializer::<ReadError>::new(text))
        };
        key.map(Some).map_err(|error| key_error(error, entry))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some(entry) = self.current else {
            return Err(ReadError::new(rules::BAD_VALUE, "a value without a key", None));
        };
        seed.deserialize(TreeDeserializer { at: entry.at, context: self.context })
            .map_err(|error| self.context.claim(error, entry.at, Droppable::Yes))
    }
}

struct SeqReader<'a, 'c> {
    context: &'c Context<'a>,
    list: At<'a>,
    items: std::slice::Iter<'a, Node>,
}

impl<'a> de::SeqAccess<'a> for SeqReader<'a, '_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        for node in self.items.by_ref() {
            let at = self.context.at(node, self.list.source, self.list.expand);
            if self.context.is_live(&at) {
                return seed
                    .deserialize(TreeDeserializer { at, context: self.context })
                    .map(Some)
                    .map_err(|error| self.context.claim(error, at, Droppable::Yes));
            }
        }
        Ok(None)
    }
}

/// One entry of a map read as a variant and its content.
struct EnumReader<'a, 'c> {
    context: &'c Context<'a>,
    entry: Entry<'a>,
}

impl<'a, 'c> de::EnumAccess<'a> for EnumReader<'a, 'c> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        let variant = seed
            .deserialize(BorrowedStrDeserializer::<ReadError>::new(&self.entry.key.text))
            .map_err(|error| key_error(error, self.entry))?;
        Ok((variant, self))
    }
}

impl<'a, 'c> EnumReader<'a, 'c> {
    fn content(&self) -> TreeDeserializer<'a, 'c> {
        TreeDeserializer { at: self.entry.at, context: self.context }
    }

    fn claimed<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| self.context.claim(error, self.entry.at, Droppable::Yes))
    }
}

impl<'a> de::VariantAccess<'a> for EnumReader<'a, '_> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        let result = de::Deserialize::deserialize(self.content());
        self.claimed(result)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, ReadError> {
        let result = seed.deserialize(self.content());
        self.claimed(result)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, ReadError> {
        let result = de::Deserializer::deserialize_seq(self.content(), visitor);
        self.claimed(result)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let result = de::Deserializer::deserialize_struct(self.content(), "", fields, visitor);
        self.claimed(result)
    }
}

#[derive(Clone, Copy)]
struct TreeDeserializer<'a, 'c> {
    at: At<'a>,
    context: &'c Context<'a>,
}

impl<'a, 'c> TreeDeserializer<'a, 'c> {
    fn view(&self) -> Result<View<'a>, ReadError> {
        self.context.view(self.at)
    }

    fn visit<V: Visitor<'a>>(&self, view: View<'a>, visitor: V) -> Result<V::Value, ReadError> {
        match view {
            View::Map(map) => {
                let mut reader = MapReader::new(self.context, map);
                let value = visitor.visit_map(&mut reader)?;
                reader.finish()?;
                Ok(value)
            }
            View::Seq(list) => {
                let items = list.node.items().iter();
                visitor.visit_seq(SeqReader { context: self.context, list, items })
            }
            View::Number(number) => visitor.visit_u64(number),
            View::Text(std::borrow::Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            View::Text(std::borrow::Cow::Owned(text)) => visitor.visit_string(text),
            View::Plain(text) => match classify(text) {
                Plain::Null => visitor.visit_unit(),
                Plain::Bool(flag) => visitor.visit_bool(flag),
                Plain::Unsigned(number) => visitor.visit_u64(number),
                Plain::Signed(number) => visitor.visit_i64(number),
                Plain::Float(number) => visitor.visit_f64(number),
                Plain::Text(text) => visitor.visit_borrowed_str(text),
            },
        }
    }

    fn enum_of_map<V: Visitor<'a>>(
        &self,
        map: At<'a>,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let mut live = MapReader::new(self.context, map);
        match (live.next_live(), live.next_live()) {
            (Some(entry), None) => visitor.visit_enum(EnumReader { context: self.context, entry }),
            (_, extra) => {
                let message = format!("expected exactly one of: {}", variants.join(", "));
                let mut error = ReadError::new(rules::BAD_VALUE, message, None);
                let lost = MapReader::new(self.context, map).all().any(|e| !self.context.is_live(&e.at));
                error.problem().consequence = extra.is_none() && lost;
                Err(error)
            }
        }
    }
}

fn is_null(view: &View<'_>) -> bool {
    matches!(view, View::Plain(text) if classify(text) == Plain::Null)
}

impl<'de> de::Deserializer<'de> for TreeDeserializer<'de, '_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.visit(self.view()?, visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.view()? {
            View::Number(number) => visitor.visit_string(number.to_string()),
            View::Plain(text) if !matches!(classify(text), Plain::Null | Plain::Bool(_)) => {
                visitor.visit_borrowed_str(text)
            }
            view => self.visit(view, visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if is_null(&self.view()?) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let view = self.view()?;
        if is_null(&view) {
            let none = std::iter::empty::<(&str, &str)>();
            return visitor.visit_map(de::value::MapDeserializer::<_, ReadError>::new(none));
        }
        self.visit(view, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // A derived type would take a list as its fields in order.
        if matches!(self.view()?, View::Seq(_)) {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &"struct "));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let view = self.view()?;
        if is_null(&view) {
            let none = std::iter::empty::<&str>();
            return visitor.visit_seq(de::value::SeqDeserializer::<_, ReadError>::new(none));
        }
        self.visit(view, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.view()? {
            View::Map(map) => self.enum_of_map(map, variants, visitor),
            View::Plain(text) if classify(text) != Plain::Null => {
                visitor.visit_enum(text.into_deserializer())
            }
            View::Text(text) => visitor.visit_enum(text.into_deserializer()),
            view => self.visit(view, visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The place of the deepest node on `path` (keys) in the tree as a host sees it.
pub(crate) fn locate(root: &Node, overlay: Option<&Overlay<'_>>, path: &[&str]) -> (Source, Place) {
    let dropped = BTreeSet::new();
    let context = Context { inputs: Inputs { variables: None, overlay }, dropped: &dropped };
    let mut at = context.at(root, Source::Document, Expand::Yes);
    let mut place = (at.source, at.node.place);
    for key in path {
        let Some(entry) = context.entry_of(&at, key) else { break };
        place = match entry.at.node.kind {
            Kind::Scalar { .. } => (entry.at.source, entry.at.node.place),
            _ => (entry.source, entry.key.place),
        };
        at = entry.at;
    }
    place
}
