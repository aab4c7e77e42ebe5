//! openpi's messages: msgpack maps whose arrays are maps of their own.
//!
//! An array is a map with the *binary* keys `__ndarray__` (true), `data` (its bytes), `dtype` (as
//! numpy writes it: `<f4`) and `shape`. Owns bytes and nothing else; never trusts a length.

use rmpv::ValueRef;

use super::super::{Data, Input};
use crate::policy::server::Key;

/// The deepest a message may be nested.
const MAX_DEPTH: usize = 16;
/// The most that is shown of a server's own description, characters.
const MAX_SHOWN: usize = 240;

/// An answer that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WireError {
    /// The bytes are no msgpack map.
    #[error("its message is no msgpack map ({0})")]
    Format(String),
    /// Nothing under that key.
    #[error("its answer has no {0:?}")]
    Missing(String),
    /// Something else than an array of floats.
    #[error("{0:?} in its answer is no array of 32 or 64 bit floats")]
    Kind(String),
    /// An array of another shape.
    #[error("{key:?} in its answer has the shape {found:?}, {expected:?} is declared")]
    Shape {
        /// Its key.
        key: String,
        /// What came.
        found: Vec<u64>,
        /// Horizon and width.
        expected: [usize; 2],
    },
}

/// One observation as bytes, in `out`.
///
/// Shapes go without the batch: a server adds its own.
pub(super) fn observation(
    keys: &[Key],
    inputs: &[Input<'_>],
    prompt: Option<&(Key, String)>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let little: Vec<Vec<u8>> = inputs
        .iter()
        .map(|input| match input.data {
            Data::Floats(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Data::Ints(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Data::Longs(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Data::Bytes(_) => Vec::new(),
        })
        .collect();
    let mut map = Vec::new();
    for ((key, input), little) in keys.iter().zip(inputs).zip(&little) {
        let (dtype, data) = match input.data {
            Data::Floats(_) => ("<f4", little.as_slice()),
            Data::Ints(_) => ("<i4", little.as_slice()),
            Data::Longs(_) => ("<i8", little.as_slice()),
            Data::Bytes(data) => ("|u1", data),
        };
        let shape = input.shape.get(1..).unwrap_or_default();
        insert(&mut map, key, array(dtype, shape, data));
    }
    if let Some((key, text)) = prompt {
        insert(&mut map, key, text.as_str().into());
    }
    out.clear();
    rmpv::encode::write_value_ref(out, &ValueRef::Map(map))
        .map_err(|error| WireError::Format(error.to_string()))
}

type Map<'a> = Vec<(ValueRef<'a>, ValueRef<'a>)>;

fn array<'a>(dtype: &'a str, shape: &[usize], data: &'a [u8]) -> ValueRef<'a> {
    let shape = shape.iter().map(|size| ValueRef::from(*size as u64));
    let key = |name: &'static str| ValueRef::Binary(name.as_bytes());
    ValueRef::Map(vec![
        (key("__ndarray__"), ValueRef::Boolean(true)),
        (key("data"), ValueRef::Binary(data)),
        (key("dtype"), dtype.into()),
        (key("shape"), ValueRef::Array(shape.collect())),
    ])
}

/// Puts `value` into `map` at `key`, making the maps on the way.
fn insert<'a>(map: &mut Map<'a>, key: &'a [String], value: ValueRef<'a>) {
    let Some((first, rest)) = key.split_first() else {
        return;
    };
    if rest.is_empty() {
        map.push((first.as_str().into(), value));
        return;
    }
    let here = |(key, value): &(ValueRef<'a>, ValueRef<'a>)| {
        named(key, first) && matches!(value, ValueRef::Map(_))
    };
    if !map.iter().any(here) {
        map.push((first.as_str().into(), ValueRef::Map(Vec::new())));
    }
    for (name, inner) in map {
        if let ValueRef::Map(inner) = inner
            && named(name, first)
        {
            insert(inner, rest, value);
            return;
        }
    }
}

/// Whether a message's key is `name`: texts and binaries are both in use.
fn named(key: &ValueRef<'_>, name: &str) -> bool {
    match key {
        ValueRef::String(text) => text.as_str() == Some(name),
        ValueRef::Binary(bytes) => *bytes == name.as_bytes(),
        _ => false,
    }
}

fn member<'a, 'b>(value: &'b ValueRef<'a>, name: &str) -> Option<&'b ValueRef<'a>> {
    let ValueRef::Map(members) = value else {
        return None;
    };
    let found = members.iter().find(|(key, _)| named(key, name));
    found.map(|(_, value)| value)
}

fn map<'a>(mut bytes: &'a [u8]) -> Result<ValueRef<'a>, WireError> {
    let value = rmpv::decode::read_value_ref_with_max_depth(&mut bytes, MAX_DEPTH)
        .map_err(|error| WireError::Format(error.to_string()))?;
    match value {
        ValueRef::Map(_) if bytes.is_empty() => Ok(value),
        ValueRef::Map(_) => Err(WireError::Format("bytes follow it".into())),
        _ => Err(WireError::Format("it is something else".into())),
    }
}

/// The chunk of actions in an answer, row by row, in `out`.
pub(super) fn actions(
    bytes: &[u8],
    key: &[String],
    expected: [usize; 2],
    out: &mut Vec<f32>,
) -> Result<(), WireError> {
    let answer = map(bytes)?;
    let name = key.join(".");
    let mut value = &answer;
    for part in key {
        value = member(value, part).ok_or_else(|| WireError::Missing(name.clone()))?;
    }
    let kind = || WireError::Kind(name.clone());
    let Some(ValueRef::Array(shape)) = member(value, "shape") else {
        return Err(kind());
    };
    let shape: Option<Vec<u64>> = shape.iter().map(ValueRef::as_u64).collect();
    let (Some(shape), Some(ValueRef::Binary(data)), Some(ValueRef::String(dtype))) =
        (shape, member(value, "data"), member(value, "dtype"))
    else {
        return Err(kind());
    };
    if shape != expected.map(|size| size as u64) {
        return Err(WireError::Shape {
            key: name,
            found: shape,
            expected,
        });
    }
    let [horizon, width] = expected;
    let fits = |size: usize| data.len() == horizon * width * size;
    out.clear();
    match dtype.as_str() {
        Some("<f4") if fits(4) => {
            let (numbers, _) = data.as_chunks::<4>();
            out.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Some("<f8") if fits(8) => {
            let (numbers, _) = data.as_chunks::<8>();
            out.extend(
                numbers
                    .iter()
                    .map(|bytes| f64::from_le_bytes(*bytes) as f32),
            );
        }
        _ => return Err(kind()),
    }
    Ok(())
}

/// What a server says of itself when one connects, in a few words.
pub(super) fn description(bytes: &[u8]) -> Result<String, WireError> {
    let ValueRef::Map(members) = map(bytes)? else {
        return Ok(String::new());
    };
    let entries: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("{}: {}", plain(key), plain(value)))
        .collect();
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Ok(entries
        .join(", ")
        .chars()
        .map(clean)
        .take(MAX_SHOWN)
        .collect())
}

fn plain(value: &ValueRef<'_>) -> String {
    match value {
        ValueRef::String(text) => text.as_str().unwrap_or("?").to_owned(),
        ValueRef::Array(values) => {
            let values: Vec<String> = values.iter().take(16).map(plain).collect();
            format!("[{}]", values.join(", "))
        }
        ValueRef::Map(members) => format!("{} entries", members.len()),
        ValueRef::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        pairs.map(|pair| byte(pair).unwrap()).collect()
    }

    fn key(names: &[&str]) -> Key {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn floats(data: &[f32]) -> Data<'_> {
        Data::Floats(data)
    }

    #[test]
    fn an_observation_of_flat_keys_is_what_numpy_and_msgpack_write() {
        let picture: Vec<u8> = (0..24).collect();
        let inputs = [
            Input {
                shape: &[1, 2, 4, 3],
                data: Data::Bytes(&picture),
            },
            Input {
                shape: &[1, 3],
                data: floats(&[0.5, -1.0, 2.0]),
            },
            Input {
                shape: &[1, 1],
                data: floats(&[0.25]),
            },
        ];
        let keys = [
            key(&["observation/wrist_image_left"]),
            key(&["observation/joint_position"]),
            key(&["observation/gripper_position"]),
        ];
        let prompt = (key(&["prompt"]), "fold".to_owned());
        let mut bytes = Vec::new();
        observation(&keys, &inputs, Some(&prompt), &mut bytes).unwrap();
        let golden = "84bc6f62736572766174696f6e2f77726973745f696d6167655f6c65667484c40b5f5f6e64\
            61727261795f5fc3c40464617461c418000102030405060708090a0b0c0d0e0f1011121314151617c40564\
            74797065a37c7531c405736861706593020403ba6f62736572766174696f6e2f6a6f696e745f706f736974\
            696f6e84c40b5f5f6e6461727261795f5fc3c40464617461c40c0000003f000080bf00000040c405647479\
            7065a33c6634c40573686170659103bc6f62736572766174696f6e2f677269707065725f706f736974696f\
            6e84c40b5f5f6e6461727261795f5fc3c40464617461c4040000803ec4056474797065a33c6634c4057368\
            6170659101a670726f6d7074a4666f6c64";
        assert_eq!(bytes, hex(golden));
    }

    #[test]
    fn an_observation_of_maps_in_maps_is_too() {
        let picture: Vec<u8> = (0..12).collect();
        let inputs = [
            Input {
                shape: &[1, 2],
                data: floats(&[0.5, -1.0]),
            },
            Input {
                shape: &[1, 3, 2, 2],
                data: Data::Bytes(&picture),
            },
        ];
        let keys = [key(&["state"]), key(&["images", "cam_high"])];
        let prompt = (key(&["prompt"]), "x".to_owned());
        let mut bytes = Vec::new();
        observation(&keys, &inputs, Some(&prompt), &mut bytes).unwrap();
        let golden = "83a5737461746584c40b5f5f6e6461727261795f5fc3c40464617461c4080000003f000080bf\
            c4056474797065a33c6634c40573686170659102a6696d6167657381a863616d5f6869676884c40b5f5f6e\
            6461727261795f5fc3c40464617461c40c000102030405060708090a0bc4056474797065a37c7531c40573\
            6861706593030202a670726f6d7074a178";
        assert_eq!(bytes, hex(golden));
    }

    const REPLY: &str = "83a7616374696f6e7384c40b5f5f6e6461727261795f5fc3c40464617461c41800000000000\
        0803e0000003f0000403f0000803f0000a03fc4056474797065a33c6634c4057368617065920203ad706f6c696\
        3795f74696d696e6781a8696e6665725f6d73cb4029000000000000ad7365727665725f74696d696e6781a8696\
        e6665725f6d73cb402b000000000000";
    const DOUBLES: &str = "82a7616374696f6e7384c40b5f5f6e6461727261795f5fc3c40464617461c42000000000\
        00000000000000000000d03f000000000000e03f000000000000e83fc4056474797065a33c6638c40573686170\
        65920202a17883c40d5f5f6e7067656e657269635f5fc3c40464617461cb3ff8000000000000c4056474797065\
        a33c6634";

    #[test]
    fn actions_are_read_in_both_precisions() {
        let mut out = Vec::new();
        actions(&hex(REPLY), &key(&["actions"]), [2, 3], &mut out).unwrap();
        assert_eq!(out, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
        actions(&hex(DOUBLES), &key(&["actions"]), [2, 2], &mut out).unwrap();
        assert_eq!(out, [0.0, 0.25, 0.5, 0.75]);
    }

    #[test]
    fn answers_that_are_none_are_told_apart() {
        let of = |bytes: &[u8], name: &str, expected| {
            let mut out = Vec::new();
            let error = actions(bytes, &key(&[name]), expected, &mut out).unwrap_err();
            error.to_string()
        };
        let reply = hex(REPLY);
        assert!(of(&reply, "action", [2, 3]).contains("has no \"action\""));
        assert!(of(&reply, "policy_timing", [2, 3]).contains("no array"));
        let shape = of(&reply, "actions", [16, 3]);
        assert!(shape.contains("[2, 3], [16, 3] is declared"), "{shape}");
        assert!(of(&reply[..60], "actions", [2, 3]).contains("no msgpack map"));
        assert!(of(&[0x93, 1, 2, 3], "actions", [2, 3]).contains("something else"));
        assert!(of(&[&reply[..], &[0]].concat(), "actions", [2, 3]).contains("bytes follow"));
        // A map of four thousand million entries, in five bytes; and one that is all depth.
        assert!(of(&[0xdf, 0xff, 0xff, 0xff, 0xff], "a", [1, 1]).contains("no msgpack map"));
        assert!(of(&[0x81; 100_000], "a", [1, 1]).contains("no msgpack map"));
    }

    #[test]
    fn a_server_s_own_words_are_one_short_line() {
        let said = description(&hex(
            "82aa72657365745f706f736592cb0000000000000000cb3ff8000000000000a16e03",
        ));
        assert_eq!(said.unwrap(), "reset_pose: [0, 1.5], n: 3");
        assert_eq!(description(&[0x80]).unwrap(), "");
    }

    proptest::proptest! {
        #[test]
        fn damaged_answers_never_panic(
            at in 0usize..200, byte in proptest::prelude::any::<u8>(), cut in 0usize..200,
        ) {
            let mut bytes = hex(REPLY);
            let length = bytes.len();
            bytes[at % length] = byte;
            bytes.truncate(length - cut % length);
            let mut out = Vec::new();
            let _ = actions(&bytes, &key(&["actions"]), [2, 3], &mut out);
            let _ = description(&bytes);
        }
    }
}
