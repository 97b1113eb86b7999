//! A state as Terraform writes it to a file or prints it: is it one, and whole?

use serde::Deserialize;

/// What every state has, of whatever version, also where `OpenTofu` encrypts the rest.
#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "serial")]
    _serial: u64,
    #[serde(rename = "lineage")]
    _lineage: String,
}

/// Why this is no whole state; `None` when it is one. A disk that is full cuts it anywhere. The
/// answer quotes nothing of it.
pub fn defect(state: &[u8]) -> Option<String> {
    let error = serde_json::from_slice::<Identity>(state).err()?;
    let size = state.len();
    Some(match error.classify() {
        serde_json::error::Category::Eof => format!("it is cut off after {size} bytes"),
        _ => format!("it is no state (line {}, column {} of {size} bytes)", error.line(), error.column()),
    })
}

/// Bytes that an empty state stays below.
pub const MOST_OF_EMPTY: u64 = 1024;

/// Whether nothing was ever applied in it: the state with which a workspace begins.
pub fn is_first(state: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct First {
        serial: u64,
        resources: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<First>(state).is_ok_and(|state| state.serial <= 1 && state.resources.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_with_which_a_workspace_begins_is_known() {
        let first = |rest: &str| is_first(format!("{{\"version\":4,\"lineage\":\"0b4f\",{rest}}}").as_bytes());
        assert!(first(r#""serial":0,"resources":[]"#) && first(r#""serial":1,"resources":[],"outputs":{}"#));
        assert!(!first(r#""serial":1,"resources":[{"type":"x"}]"#));
        assert!(!first(r#""serial":9,"resources":[]"#), "all was destroyed");
        assert!(!first(r#""serial":1,"encrypted_data":"x""#) && !is_first(b""));
    }

    #[test]
    fn no_part_of_a_state_passes_for_one() {
        let state =
            "{\n  \"version\": 4,\n  \"serial\": 7,\n  \"lineage\": \"0b4f\",\n  \"resources\": [{\"x\": 1e400}]\n}";
        assert_eq!(defect(state.as_bytes()), None);
        assert_eq!(defect(format!("{state}\n").as_bytes()), None);
        for end in 0..state.len() {
            let part = state.as_bytes().get(..end).unwrap();
            assert!(defect(part).is_some(), "{end}");
        }
        assert_eq!(defect(b"{\"version\":4"), Some("it is cut off after 12 bytes".to_owned()));
        let encrypted = r#"{"serial":7,"lineage":"0b4f","meta":{},"encrypted_data":"x","encryption_version":"v0"}"#;
        assert_eq!(defect(encrypted.as_bytes()), None);
        for other in ["{}", "[]", "null", "{\"serial\":7}", "{\"serial\":7,\"lineage\":\"x\"} hunter2"] {
            let told = defect(other.as_bytes()).expect("it is no state");
            assert!(told.starts_with("it is no state") && !told.contains("hunter2"), "{other}: {told}");
        }
    }
}
