//! Which variables of the environment hold a credential, and what of them is one.
//!
//! The name decides, because most values look like nothing. Only a private key, an address with a
//! password and the content of a file show themselves.

use serde_json::Value;

use super::password_in;

/// Words in the name of a variable that holds a credential, or says something of one.
const WORDS: [&str; 9] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "PRIVATE_KEY", "API_KEY", "APIKEY"];

/// Ends of names that hold one without such a word.
const KEYS: [&str; 13] = [
    "ACCESS_KEY",
    "_APP_KEY",
    "_CLIENT_KEY_DATA",
    "_CONSUMER_KEY",
    "_CUSTOMER_KEY",
    "_ENCRYPTION_KEY",
    "_SERVICE_KEY",
    "_AGE_KEY",
    "_CLIENT_CERTIFICATE",
    "_HTTP_AUTH",
    "GRAFANA_AUTH",
    "MYSQL_PWD",
    "PM_PASS",
];

/// Ends of names that say where a credential is, or whose.
const PLACES: [&str; 10] =
    ["_FILE", "_PATH", "_DIR", "_URL", "_URI", "_ENDPOINT", "_ARN", "_NAME", "_ID", "APPLICATION_CREDENTIALS"];

/// Ends of names that say something else of one. Of these the value must look like it, too.
const PROPERTIES: [&str; 13] = [
    "_REGION",
    "_LENGTH",
    "_ENABLED",
    "_TTL",
    "_VERSION",
    "_TYPE",
    "_ROTATION",
    "_EXPIRATION",
    "_DURATION",
    "_LIFETIME",
    "_DAYS",
    "_ALGORITHM",
    "_PREFIX",
];

/// What of a variable is a credential; of `OpenTofu`'s encryption settings what stands in them.
pub fn credentials_in(name: &str, value: &str) -> Vec<String> {
    let name = name.to_ascii_uppercase();
    if name == "TF_ENCRYPTION" {
        return in_settings(value);
    }
    let is_key = value.contains("PRIVATE KEY-----");
    if is_key || names_a_secret(&name, value) {
        let mut found = vec![value.to_owned()];
        if is_key && value.contains("\\n") {
            // On one line, as a file of variables has it.
            found.push(value.replace("\\n", "\n"));
        }
        return found;
    }
    let is_address = value.contains("://") || name.ends_with("_PROXY");
    password_in(value).filter(|_| is_address).map(str::to_owned).into_iter().collect()
}

/// `name` in capital letters.
fn names_a_secret(name: &str, value: &str) -> bool {
    let ends_in = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    // Of Vault's app role the role's ID is a name, and the secret's ID is the password.
    let is_of_vault = name.contains("VAULT") || name.contains("APPROLE");
    if name.starts_with("TF_TOKEN_") || (is_of_vault && name.ends_with("SECRET_ID")) || ends_in(&KEYS) {
        return true;
    }
    // What is named after a file can hold its content.
    let is_content = value.contains('\n') || value.trim_start().starts_with('{');
    let is_about_one = (ends_in(&PLACES) && !is_content) || (ends_in(&PROPERTIES) && is_plain(value));
    WORDS.iter().any(|word| name.contains(word)) && !is_about_one
}

/// Short, and no mixture of letters and digits that nobody would choose.
fn is_plain(value: &str) -> bool {
    let has = |kind: fn(&char) -> bool| value.chars().any(|char| kind(&char));
    let is_mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    value.len() <= 32 && !is_mixed
}

/// The passphrases and tokens in settings, which are HCL or JSON. The rest is no secret: kinds of
/// keys, regions, identifiers of keys.
fn in_settings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_str::<Value>(text) {
        Ok(json) => {
            let mut parts = vec![(String::new(), &json)];
            while let Some((name, part)) = parts.pop() {
                match part {
                    Value::Object(map) => parts.extend(map.iter().map(|(name, part)| (name.clone(), part))),
                    Value::Array(items) => parts.extend(items.iter().map(|item| (name.clone(), item))),
                    Value::String(text) => found.push((name, text.clone())),
                    _ => {}
                }
            }
        }
        Err(_) => {
            for (at, _) in text.match_indices('=') {
                let (before, after) = text.split_at(at);
                let mut words = before.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
                let name = words.rfind(|word| !word.is_empty()).unwrap_or_default();
                let values = hcl_text(after.trim_start_matches('=').trim_start());
                found.extend(values.into_iter().map(|value| (name.to_owned(), value)));
            }
        }
    }
    let is_secret = |(name, value): &(String, String)| names_a_secret(&name.to_ascii_uppercase(), value);
    found.into_iter().filter(is_secret).map(|(_, value)| value).collect()
}

/// The text at the beginning of an HCL expression, as it is written and as it is meant.
fn hcl_text(expression: &str) -> Vec<String> {
    if let Some(heredoc) = expression.strip_prefix("<<") {
        let Some((marker, lines)) = heredoc.trim_start_matches('-').split_once('\n') else { return Vec::new() };
        let lines: Vec<&str> = lines.lines().take_while(|line| line.trim() != marker.trim()).collect();
        return vec![lines.join("\n")];
    }
    let Some(quoted) = expression.strip_prefix('"') else { return Vec::new() };
    let (mut written, mut meant) = (String::new(), String::new());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => {
                let escaped = letters.next().unwrap_or_default();
                written.extend(['\\', escaped]);
                meant.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            letter => {
                written.push(letter);
                meant.push(letter);
            }
        }
    }
    let meant = meant.replace("$${", "${").replace("%%{", "%{");
    if meant == written { vec![written] } else { vec![written, meant] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented variables of providers and backends that hold a credential.
    const CREDENTIALS: &str = "
        aws: AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SSE_CUSTOMER_KEY AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_BEARER_TOKEN_BEDROCK
        azure: ARM_CLIENT_SECRET ARM_CLIENT_CERTIFICATE ARM_CLIENT_CERTIFICATE_PASSWORD ARM_OIDC_TOKEN ARM_OIDC_REQUEST_TOKEN
        azure: ARM_ACCESS_KEY ARM_SAS_TOKEN AZURE_CLIENT_SECRET AZURE_CLIENT_CERTIFICATE_PASSWORD AZDO_PERSONAL_ACCESS_TOKEN
        google: GOOGLE_CREDENTIALS GOOGLE_BACKEND_CREDENTIALS GOOGLE_OAUTH_ACCESS_TOKEN GOOGLE_ENCRYPTION_KEY
        github: GITHUB_TOKEN GH_TOKEN STATEGATE_GITHUB_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_RUNTIME_TOKEN
        gitlab: GITLAB_TOKEN CI_JOB_TOKEN TF_HTTP_PASSWORD
        cloudflare: CLOUDFLARE_API_TOKEN CLOUDFLARE_API_KEY CLOUDFLARE_API_USER_SERVICE_KEY
        datadog: DD_API_KEY DD_APP_KEY DATADOG_API_KEY DATADOG_APP_KEY
        vault: VAULT_TOKEN VAULT_SECRET_ID TERRAFORM_VAULT_PASSWORD TF_VAR_login_approle_secret_id
        kubernetes: KUBE_TOKEN KUBE_PASSWORD KUBE_CLIENT_KEY_DATA HELM_KUBETOKEN
        databases: PGPASSWORD MYSQL_PASSWORD MYSQL_PWD MSSQL_PASSWORD MONGODB_ATLAS_PRIVATE_KEY SNOWFLAKE_PRIVATE_KEY_PASSPHRASE
        hashicorp: TF_TOKEN_registry_example_name TFE_TOKEN HCP_CLIENT_SECRET CONSUL_HTTP_TOKEN CONSUL_HTTP_AUTH NOMAD_TOKEN
        others: ALICLOUD_SECRET_KEY ALIBABA_CLOUD_ACCESS_KEY_SECRET AUTH0_CLIENT_SECRET CONFLUENT_CLOUD_API_SECRET DATABRICKS_TOKEN
        others: DIGITALOCEAN_TOKEN SPACES_SECRET_ACCESS_KEY FASTLY_API_KEY GRAFANA_AUTH HCLOUD_TOKEN IC_API_KEY LINODE_TOKEN
        others: NEW_RELIC_API_KEY OKTA_API_PRIVATE_KEY OKTA_API_TOKEN OP_SERVICE_ACCOUNT_TOKEN OS_APPLICATION_CREDENTIAL_SECRET
        others: OS_PASSWORD OVH_APPLICATION_SECRET OVH_CONSUMER_KEY PAGERDUTY_TOKEN PM_PASS PM_API_TOKEN_SECRET SCW_SECRET_KEY
        others: SENTRY_AUTH_TOKEN SOPS_AGE_KEY TENCENTCLOUD_SECRET_KEY VSPHERE_PASSWORD VULTR_API_KEY
        own: TF_VAR_db_password TF_VAR_api_token TF_VAR_private_key
    ";

    /// Those that say where, whose or which.
    const OTHERS: &str = "
        aws: AWS_ACCESS_KEY_ID AWS_REGION AWS_PROFILE AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_SHARED_CREDENTIALS_FILE
        azure: ARM_CLIENT_ID ARM_TENANT_ID ARM_SUBSCRIPTION_ID ARM_CLIENT_CERTIFICATE_PATH ARM_OIDC_TOKEN_FILE_PATH ARM_OIDC_REQUEST_URL
        google: GOOGLE_APPLICATION_CREDENTIALS GOOGLE_PROJECT GOOGLE_REGION GOOGLE_IMPERSONATE_SERVICE_ACCOUNT
        github: GITHUB_REPOSITORY GITHUB_OWNER GITHUB_APP_ID GITHUB_APP_INSTALLATION_ID ACTIONS_ID_TOKEN_REQUEST_URL
        vault: VAULT_ADDR VAULT_NAMESPACE VAULT_ROLE_ID VAULT_CACERT
        kubernetes: KUBE_HOST KUBE_USER KUBE_CONFIG_PATH KUBE_CTX
        databases: PGHOST PGUSER PGSSLMODE MYSQL_ENDPOINT MYSQL_USERNAME
        others: CLOUDFLARE_ACCOUNT_ID DD_HOST OS_APPLICATION_CREDENTIAL_ID OS_APPLICATION_CREDENTIAL_NAME OS_AUTH_URL TFE_HOSTNAME
        own: PATH TF_VAR_region TF_VAR_secret_region TF_VAR_password_length TF_VAR_token_ttl DB_SECRET_NAME DB_SECRET_ID
    ";

    fn names(table: &'static str) -> impl Iterator<Item = &'static str> {
        table.split_whitespace().filter(|word| !word.ends_with(':'))
    }

    #[test]
    fn the_variables_of_providers_are_known_by_their_names() {
        for name in names(CREDENTIALS) {
            assert_eq!(credentials_in(name, "hunter2"), ["hunter2"], "{name}");
        }
        for name in names(OTHERS) {
            assert_eq!(credentials_in(name, "eu-central-1"), [""; 0], "{name}");
        }
        let token = "v3rYs3cretAndOfARegion";
        assert_eq!(credentials_in("TF_VAR_secret_region", token), [token], "no region looks like that");
    }

    #[test]
    fn a_key_and_the_content_of_a_file_are_known_by_their_looks() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----";
        assert_eq!(credentials_in("GITHUB_APP_PEM_FILE", key), [key]);
        let one_line = key.replace('\n', "\\n");
        assert_eq!(credentials_in("GITHUB_APP_PEM_FILE", &one_line), [one_line.as_str(), key]);
        assert_eq!(credentials_in("GITHUB_APP_PEM_FILE", "app.pem"), [""; 0]);
        let file = r#"{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nMIIEow"}"#;
        assert_eq!(credentials_in("GOOGLE_CLOUD_KEYFILE_JSON", file).first().map(String::as_str), Some(file));
        let user = r#"{"client_id":"a","refresh_token":"hunter2"}"#;
        assert_eq!(credentials_in("GOOGLE_APPLICATION_CREDENTIALS", user), [user]);
    }

    #[test]
    fn the_password_in_an_address_is_one_whatever_it_is_called() {
        assert_eq!(credentials_in("PG_CONN_STR", "postgres://app:hunter2@db/state"), ["hunter2"]);
        assert_eq!(credentials_in("https_proxy", "user:hunter2@proxy:3128"), ["hunter2"]);
        for (name, value) in [("PG_CONN_STR", "postgres://db/state"), ("PATH", "/bin:/usr/bin"), ("X", "a:b@c")] {
            assert_eq!(credentials_in(name, value), [""; 0], "{name}");
        }
    }

    #[test]
    fn of_the_settings_of_an_encryption_its_passphrases_and_tokens_are_secret() {
        let hcl = r#"
            key_provider "pbkdf2" "mine" { passphrase = "correct horse \"battery\" = staple $${x}" }
            key_provider "openbao" "other" {
              key_name = "state"
              token    = <<-EOT
                hvs.hunter2
              EOT
            }
            key_provider "aws_kms" "third" {
              kms_key_id = "a4f7"
              key_spec   = "AES_256"
              region     = "eu-central-1"
              secret_key = "wJalrXUtnFEMI"
            }
            method "aes_gcm" "new" { keys = key_provider.pbkdf2.mine }
            state { method = method.aes_gcm.new }
        "#;
        let found = credentials_in("TF_ENCRYPTION", hcl);
        let expected = [
            r#"correct horse \"battery\" = staple $${x}"#,
            r#"correct horse "battery" = staple ${x}"#,
            "                hvs.hunter2",
            "wJalrXUtnFEMI",
        ];
        assert_eq!(found, expected);
        let json = r#"{"key_provider":{"pbkdf2":{"mine":{"passphrase":"hunter2hunter2","key_length":32}},"aws_kms":{"b":[{"region":"eu-central-1"}]}}}"#;
        assert_eq!(credentials_in("TF_ENCRYPTION", json), ["hunter2hunter2"]);
        for odd in ["", "=", "a =", "token = \"", "token = <<", "token = <<X\n", "{"] {
            credentials_in("TF_ENCRYPTION", odd);
        }
    }
}
