//! Opening the golden files.

use relay_hub::Room;
use serde_json::Value;

pub(crate) fn lines(file: &str) -> Vec<Value> {
    file.lines().map(|line| serde_json::from_str(line).expect("golden line")).collect()
}

pub(crate) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap()).collect()
}

/// Rooms of a case; those of other types are left out.
pub(crate) fn rooms(list: &Value) -> Vec<Room> {
    let room = |it: &Value| match it {
        Value::String(name) => Some(Room::text(name.as_bytes())),
        Value::Number(number) => number.as_f64().map(Room::number),
        _ => None,
    };
    list.as_array().expect("rooms").iter().filter_map(room).collect()
}
