//! Does GitHub know those whose approvals are to count?

use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::{GitHub, GraphQlError};
use super::connection::Connection;
use super::error::GitHubError;
use stategate_core::approval::Approver;

const NEEDS: &str = "metadata: read";

/// What is asked about an organisation: whether the token sees its teams at all, and this one.
#[derive(Deserialize)]
struct WireOrganization {
    #[serde(default)]
    teams: Connection<WireTeam>,
    #[serde(default)]
    team: Option<WireTeam>,
}

#[derive(Deserialize)]
struct WireTeam {
    #[serde(rename = "slug")]
    _slug: String,
}

impl GitHub {
    /// Those of the approvers whom GitHub does not know: no account and no organisation of that name,
    /// or no such team in an organisation whose teams this token sees. One request for all; none when
    /// there are no approvers.
    ///
    /// # Errors
    ///
    /// When GitHub cannot be asked.
    pub async fn unknown_approvers(&self, approvers: &[Approver]) -> Result<Vec<Approver>, GitHubError> {
        if approvers.is_empty() {
            return Ok(Vec::new());
        }
        let (query, variables) = question(approvers);
        let mut reply = self.graphql_reply(&query, Value::Object(variables), NEEDS).await?;
        let is_known = |at: usize, approver: &Approver, data: Value, errors: &[GraphQlError]| {
            let alias = format!("a{at}");
            let mut theirs = errors.iter().filter(|error| error.path.first().and_then(Value::as_str) == Some(&alias));
            let is_missing = theirs.any(|error| error.r#type.as_deref() == Some("NOT_FOUND") && error.path.len() == 1);
            let sees_no_such_team = match approver {
                Approver::User(_) => false,
                Approver::Team { .. } => match serde_json::from_value::<WireOrganization>(data) {
                    // Where no team is seen, that this one is not seen says nothing.
                    Ok(found) => {
                        found.team.is_none() && found.teams.page("teams").is_ok_and(|(seen, _)| !seen.is_empty())
                    }
                    Err(_) => false,
                },
            };
            !is_missing && !sees_no_such_team
        };
        let unknown = approvers.iter().enumerate().filter(|(at, approver)| {
            let data = reply.data.get_mut(format!("a{at}")).map(Value::take).unwrap_or_default();
            !is_known(*at, approver, data, &reply.errors)
        });
        Ok(unknown.map(|(_, approver)| approver.clone()).collect())
    }
}

/// One question about all of them.
fn question(approvers: &[Approver]) -> (String, Map<String, Value>) {
    let (mut declared, mut fields, mut variables) = (Vec::new(), String::new(), Map::new());
    let mut variable = |name: String, value: &str| {
        declared.push(format!("${name}: String!"));
        variables.insert(name, value.into());
    };
    for (at, approver) in approvers.iter().enumerate() {
        match approver {
            Approver::User(login) => {
                variable(format!("l{at}"), login);
                fields.push_str(&format!("  a{at}: user(login: $l{at}) {{ login }}\n"));
            }
            Approver::Team { org, slug } => {
                variable(format!("l{at}"), org);
                variable(format!("s{at}"), slug);
                fields.push_str(&format!(
                    "  a{at}: organization(login: $l{at}) {{\n    \
                     teams(first: 1) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ slug }} }}\n    \
                     team(slug: $s{at}) {{ slug }}\n  }}\n"
                ));
            }
        }
    }
    (format!("query Approvers({}) {{\n{fields}}}", declared.join(", ")), variables)
}
