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

#[cfg(test)]
mod tests {
    use super::*;

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
