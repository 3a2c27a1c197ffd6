//! What is put in the place of a field, and how a file with it looks.

use std::sync::Arc;

use serde_json::Value;

/// What stands in a file where something is to be put in.
pub const PLACE: &str = "@@here@@";

/// A key that becomes the same as its neighbour's.
const DOUBLE: &str = "@@double@@";

/// A hundred thousand bytes.
pub fn long() -> String {
    "x".repeat(100_000)
}

/// Numbers as JSON and TOML write them, from the ends of their types and from beyond.
pub const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "16",
    "17",
    "100",
    "255",
    "256",
    "65536",
    "1000000",
    "4294967295",
    "4294967296",
    "9007199254740992",
    "9007199254740993",
    "604800000000",
    "604800000001",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "-0.0",
    "1e308",
];

/// Numbers that only JSON can write.
pub const JSON_NUMBERS: &[&str] = &[
    "18446744073709551615",
    "18446744073709551616",
    "1e999",
    "-0",
];

/// Texts, before they are quoted.
pub fn texts() -> Vec<String> {
    [
        "",
        " ",
        "0",
        "everyone",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "a\0b",
        "two\nlines\r\n",
        "né\u{e9}e 漢字 \u{202e}\u{200b}",
        "<script>alert(1)</script>",
        "$(touch x) `y` ; 'z'",
        "../../../etc/passwd",
        "{}",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([long()])
    .collect()
}

/// What a JSON value is replaced by.
pub fn json_values() -> Vec<Arc<str>> {
    let others = [
        "null",
        "true",
        "false",
        "[]",
        "[[]]",
        "[0]",
        "{}",
        "{\"a\":1}",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
        "NaN",
        "Infinity",
        "01",
        "",
    ];
    let plain = NUMBERS.iter().chain(JSON_NUMBERS).chain(&others);
    let quoted = texts()
        .into_iter()
        .map(|text| Value::from(text).to_string());
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let many = format!("[{}0]", "0,".repeat(50_000));
    let plain = plain.map(|text| (*text).to_owned());
    let all = plain.chain(quoted).chain([deep, many]);
    all.map(Arc::from).collect()
}

/// A spoilt file.
pub struct Spoilt {
    /// What is wrong with it.
    pub what: String,
    /// All but what is put in, for there are thousands of a file.
    text: Arc<str>,
    value: Option<Arc<str>>,
}

impl Spoilt {
    /// A file as it is.
    pub fn new(what: &str, text: &str) -> Self {
        let short = |text: &str| text.chars().take(60).flat_map(char::escape_debug).collect();
        Self {
            what: short(what),
            text: text.into(),
            value: None,
        }
    }

    /// The file `text` with each of `values` where [`PLACE`] stands in it, quoted or not.
    pub fn with(name: &str, text: &str, values: &[Arc<str>]) -> Vec<Self> {
        let text: Arc<str> = text.replace(&format!("\"{PLACE}\""), PLACE).into();
        let one = |value: &Arc<str>| Self {
            text: Arc::clone(&text),
            value: Some(Arc::clone(value)),
            ..Self::new(&format!("{name} = {value}"), "")
        };
        values.iter().map(one).collect()
    }

    /// The file.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => self.text.replace(PLACE, value),
            None => self.text.to_string(),
        }
    }
}

/// The paths of all fields of a JSON value, lists and tables included.
fn pointers(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(field, format!("{here}/{name}"), all);
            }
        }
        Value::Array(fields) => {
            for (place, field) in fields.iter().enumerate() {
                pointers(field, format!("{here}/{place}"), all);
            }
        }
        _ => {}
    }
    all.push(here);
}

/// The field's parent, and its name there.
fn parent<'a, 'b>(root: &'a mut Value, pointer: &'b str) -> Option<(&'a mut Value, &'b str)> {
    let (above, name) = pointer.rsplit_once('/')?;
    Some((root.pointer_mut(above)?, name))
}

/// All that can be done to the fields of a JSON file.
pub fn json_fields(text: &str) -> Vec<Spoilt> {
    let root: Value = serde_json::from_str(text).unwrap();
    let values = json_values();
    let mut all = Vec::new();
    let mut names = Vec::new();
    pointers(&root, String::new(), &mut names);
    for pointer in &names {
        let mut with = root.clone();
        *with.pointer_mut(pointer).unwrap() = PLACE.into();
        let template = with.to_string();
        all.extend(Spoilt::with(pointer, &template, &values));
        all.extend(without(&root, pointer));
        all.extend(duplicated(&root, pointer));
        let mut with = root.clone();
        if let Some(Value::Object(fields)) = with.pointer_mut(pointer) {
            fields.insert("no_such_field".to_owned(), 1.into());
            all.push(Spoilt::new(
                &format!("{pointer} with more"),
                &with.to_string(),
            ));
        }
    }
    all
}

fn without(root: &Value, pointer: &str) -> Option<Spoilt> {
    let mut with = root.clone();
    match parent(&mut with, pointer)? {
        (Value::Object(fields), name) => {
            fields.remove(name)?;
        }
        (Value::Array(fields), place) => {
            fields.remove(place.parse().ok()?);
        }
        _ => return None,
    }
    let what = format!("{pointer} left out");
    Some(Spoilt::new(&what, &with.to_string()))
}

/// A field that is there twice, and an element of a list that is.
fn duplicated(root: &Value, pointer: &str) -> Option<Spoilt> {
    let mut with = root.clone();
    let text = match parent(&mut with, pointer)? {
        (Value::Object(fields), name) => {
            let value = fields.get(name)?.clone();
            fields.insert(DOUBLE.to_owned(), value);
            with.to_string().replace(DOUBLE, name)
        }
        (Value::Array(fields), place) => {
            let value = fields.get(place.parse::<usize>().ok()?)?.clone();
            fields.push(value);
            with.to_string()
        }
        _ => return None,
    };
    Some(Spoilt::new(&format!("{pointer} twice"), &text))
}

/// What can be done to any text: it is cut short, begins with a mark, ends in something else, or is
/// something else.
pub fn whole(text: &str) -> Vec<Spoilt> {
    let ends = (0..60).map(|part| text.len() * part / 60);
    let ends = ends.filter(|end| text.is_char_boundary(*end));
    let mut all: Vec<Spoilt> = ends
        .map(|end| Spoilt::new(&format!("cut at byte {end}"), &text[..end]))
        .collect();
    let half = text.len() / 2;
    let half = (half..).find(|at| text.is_char_boundary(*at)).unwrap();
    let (first, second) = text.split_at(half);
    for (what, text) in [
        ("byte order mark", format!("\u{feff}{text}")),
        ("twice", format!("{text}{text}")),
        ("CRLF", text.replace('\n', "\r\n")),
        ("NUL in the middle", format!("{first}\0{second}")),
        ("escape in the middle", format!("{first}\u{1b}[2J{second}")),
        ("upper case", text.to_uppercase()),
        ("NULs", "\0".repeat(10_000)),
        ("long", long()),
        ("brackets", "[".repeat(100_000)),
        ("braces", "{\"a\":".repeat(100_000)),
    ] {
        all.push(Spoilt::new(what, &text));
    }
    all
}
