//! What Terraform warns of and fails with: one diagnostic, read from its machine-readable form,
//! written as Terraform writes it, and as an annotation of a file.
//!
//! A diagnostic is for people: nothing is decided by it. Its text is a stranger's, from a
//! configuration or a provider.

use serde_json::Value;

/// Annotations of each kind that GitHub shows for a step.
pub const MOST_ANNOTATIONS: usize = 10;

/// Characters of an annotation's title and message; GitHub cuts longer ones.
const TITLE: usize = 200;
const MESSAGE: usize = 2_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Terraform could not do what it was asked for.
    Error,
    /// It could, and has something to say. So is a severity that we do not know: whether Terraform
    /// failed is said by its exit code alone.
    Warning,
}

/// One warning or error of Terraform's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in one line.
    pub summary: String,
    /// What else there is to say; often empty.
    pub detail: String,
    /// The resource it is about.
    pub address: Option<String>,
    /// Where in the configuration.
    pub place: Option<Place>,
    snippet: Option<Snippet>,
}

/// A place in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file: from the root of the repository when `in_repository`, else as Terraform names it,
    /// from the root module.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// Whether the file is one of the repository's own.
    pub in_repository: bool,
}

/// Whether an error's headline only announces another error, as those of a failing `init` do.
pub fn is_heading(headline: &str) -> bool {
    headline.contains("encountered problems during initiali") || headline == "Unknown values within backend definition"
}

/// The lines of the configuration that Terraform quotes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Snippet {
    context: Option<String>,
    code: String,
    start_line: u64,
    /// What the expressions in it are, such as `var.size is 3`.
    values: Vec<String>,
}

/// A warning or an error at a line of a file, as GitHub shows it beside the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Which of GitHub's two kinds.
    pub severity: Severity,
    /// Its headline.
    pub title: String,
    /// Its text.
    pub message: String,
    /// The file, from the root of the repository, and the line.
    pub place: Option<(String, u64)>,
}

impl Diagnostic {
    /// Reads Terraform's JSON of one diagnostic; `None` for what is none. `root_module` is the root
    /// module's path from the root of the repository, where there is one.
    pub fn from_json(json: &Value, root_module: Option<&str>) -> Option<Diagnostic> {
        let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let severity = match json.get("severity")?.as_str()? {
            "error" => Severity::Error,
            _ => Severity::Warning,
        };
        Some(Diagnostic {
            severity,
            summary: text("summary")?,
            detail: text("detail").unwrap_or_default(),
            address: text("address").filter(|address| !address.is_empty()),
            place: json.get("range").and_then(|range| Place::from_json(range, root_module)),
            snippet: json.get("snippet").and_then(Snippet::from_json),
        })
    }

    /// The same with each text passed through `scrub`.
    #[must_use]
    pub fn map(self, scrub: impl Fn(&str) -> String) -> Diagnostic {
        Diagnostic {
            severity: self.severity,
            summary: scrub(&self.summary),
            detail: scrub(&self.detail),
            address: self.address.map(|address| scrub(&address)),
            place: self.place.map(|place| Place { file: scrub(&place.file), ..place }),
            snippet: self.snippet.map(|snippet| Snippet {
                context: snippet.context.map(|context| scrub(&context)),
                code: scrub(&snippet.code),
                start_line: snippet.start_line,
                values: snippet.values.iter().map(|value| scrub(value)).collect(),
            }),
        }
    }

    /// The same without what can hold a value: what it is and where, in Terraform's words or a provider's.
    #[must_use]
    pub fn without_values(self) -> Diagnostic {
        Diagnostic { detail: String::new(), snippet: None, ..self }
    }

    /// In the shape that people know from Terraform, without its frame.
    pub fn text(&self) -> String {
        let word = match self.severity {
            Severity::Error => "Error",
            Severity::Warning => "Warning",
        };
        let mut text = format!("{word}: {}\n", self.summary.trim_end());
        let mut line = |line: &str| text.extend([line, "\n"]);
        if self.address.is_some() || self.place.is_some() {
            line("");
        }
        if let Some(address) = &self.address {
            line(&format!("  with {address}{}", if self.place.is_some() { "," } else { "" }));
        }
        if let Some(Place { file, line: number, .. }) = &self.place {
            let context = self.snippet.as_ref().and_then(|snippet| snippet.context.as_deref());
            let context = context.map(|context| format!(", in {context}")).unwrap_or_default();
            line(&format!("  on {file} line {number}{context}{}", if self.snippet.is_some() { ":" } else { "" }));
        }
        if let Some(snippet) = self.snippet.as_ref().filter(|_| self.place.is_some()) {
            for (number, code) in (snippet.start_line..).zip(snippet.code.lines()) {
                line(&format!("{number:>4}: {code}"));
            }
            if !snippet.values.is_empty() {
                line("    ├────────────────");
            }
            for value in &snippet.values {
                line(&format!("    │ {value}"));
            }
        }
        if !self.detail.trim().is_empty() {
            line(&format!("\n{}", self.detail.trim_end()));
        }
        text
    }

    fn annotation(&self) -> Option<Annotation> {
        let place = self.place.as_ref().filter(|place| place.in_repository)?;
        let told = if self.detail.trim().is_empty() { &self.summary } else { &self.detail };
        let about = self.address.as_deref().map(|address| format!("{address}: ")).unwrap_or_default();
        Some(Annotation {
            severity: self.severity,
            title: clip(&self.summary, TITLE),
            message: clip(&format!("{about}{}", told.trim()), MESSAGE),
            place: Some((place.file.clone(), place.line)),
        })
    }
}

impl Place {
    fn from_json(range: &Value, root_module: Option<&str>) -> Option<Place> {
        let file = range.get("filename")?.as_str().filter(|file| !file.is_empty())?;
        let line = range.get("start")?.get("line")?.as_u64()?;
        let in_repository = root_module.and_then(|root| file_in_repository(root, file));
        Some(Place {
            in_repository: in_repository.is_some(),
            file: in_repository.unwrap_or_else(|| file.to_owned()),
            line,
        })
    }
}

impl Snippet {
    fn from_json(json: &Value) -> Option<Snippet> {
        let statement = |value: &Value| {
            let part = |name: &str| value.get(name).and_then(Value::as_str);
            Some(format!("{} {}", part("traversal")?, part("statement")?))
        };
        Some(Snippet {
            context: json.get("context").and_then(Value::as_str).map(str::to_owned),
            code: json.get("code")?.as_str()?.to_owned(),
            start_line: json.get("start_line")?.as_u64()?,
            values: json.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(statement).collect(),
        })
    }
}

/// A file that Terraform names from the root module, from the root of the repository. `None` for
/// one that is outside of it, or that `terraform init` fetched.
fn file_in_repository(root_module: &str, file: &str) -> Option<String> {
    if file.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in root_module.split('/').chain(file.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            ".terraform" => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/")).filter(|path| !path.is_empty())
}

/// The annotations of one severity, at most `most`: what there are more is told as a number.
pub fn annotations(diagnostics: &[Diagnostic], severity: Severity, most: usize) -> Vec<Annotation> {
    let of_severity = diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity);
    let mut annotations: Vec<Annotation> = of_severity.filter_map(Diagnostic::annotation).collect();
    if annotations.len() > most {
        let shown = most.saturating_sub(1);
        let more = annotations.len() - shown;
        annotations.truncate(shown);
        annotations.push(Annotation {
            severity,
            title: "stategate".to_owned(),
            message: format!("Terraform has {more} more of these; the log has them all."),
            place: None,
        });
    }
    annotations
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
